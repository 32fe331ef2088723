package finapi

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	earlyRefresh       = time.Minute      // a token is asked for again when less is left
	formTokenLife      = 25 * time.Minute // what a token that creates a form should have left: the form's 20 and the login
	askGap             = time.Second      // the token endpoint repeats a token until it has run out; asking faster is no use
	refreshGap         = time.Minute      // between refreshes of one user's token that did not help
	refusedClientPause = 15 * time.Second // before our own login is tried again after a refusal
	refusedUserPause   = time.Hour        // the provider locks users who fail too often
	unreadRefusalPause = time.Minute      // where it may have been a gateway that refused the user
	shortTokenLogGap   = time.Minute
)

// token is what a login gave.
type token struct {
	access  Secret
	refresh Secret        // empty: none
	got     time.Time     // when the login was sent, so that a slow answer makes it older, not younger
	life    time.Duration // 0: for ever
}

// left is how long it may still be used.
func (t token) left(now time.Time) time.Duration {
	switch {
	case t.access == "":
		return 0
	case t.life == 0:
		return 1<<63 - 1
	}
	return t.got.Add(t.life).Sub(now)
}

// grant is a way to get a token.
type grant struct {
	op      operation
	user    User
	refresh Secret
}

// slot is what is known of one login, ours or a user's.
//
//	nothing ──login──▶ token ──little left──▶ asked again, the old one used meanwhile
//	   │                 │──401──▶ nothing
//	   └──refused──▶ remembered: every call fails at once until the pause is over
type slot struct {
	user User          // zero: our client
	turn chan struct{} // holds one value; who has put it in may call the provider for this slot

	// guarded by tokens.mu
	token      token
	nextAsk    time.Time // not before: a token that is alive is not asked for again
	lastAsk    time.Time // login that went well
	nextTry    time.Time // not before: a refresh for a form
	tries      int       // logins that ended
	failure    error     // how the last of these went
	refusal    *Error    // a refused login, until
	refusedTil time.Time
	exists     bool      // the user was created or found
	proven     bool      // a login went well, so the password is the right one
	ended      Secret    // token that had run out when the login repeated it,
	endedAt    time.Time // and when
}

// tokens caches the tokens of our client and of the users used last.
type tokens struct {
	login   func(context.Context, grant) (token, error)
	metrics *metrics
	log     *slog.Logger
	client  *slot

	mu       sync.Mutex // guards all below and the slots; never held while waiting
	max      int
	users    map[string]*list.Element // by user id; of *slot
	recent   *list.List               // the least recently used at the back
	warnedAt time.Time
}

func newTokens(most int, login func(context.Context, grant) (token, error), m *metrics, log *slog.Logger) *tokens {
	return &tokens{
		login: login, metrics: m, log: log, client: newSlot(User{}),
		max: most, users: make(map[string]*list.Element), recent: list.New(),
	}
}

func newSlot(user User) *slot { return &slot{user: user, turn: make(chan struct{}, 1)} }

// of returns the user's slot. Forgetting a slot costs one more login.
func (t *tokens) of(user User) *slot {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e, ok := t.users[user.ID]; ok {
		t.recent.MoveToFront(e)
		return e.Value.(*slot)
	}
	s := newSlot(user)
	t.users[user.ID] = t.recent.PushFront(s)
	if t.recent.Len() > t.max {
		oldest := t.recent.Remove(t.recent.Back()).(*slot)
		delete(t.users, oldest.user.ID)
	}
	return s
}

// get returns a token, logging in where there is none or little is left of it.
// However many callers wait, one of them calls the provider and all get what it
// got, failures included.
func (t *tokens) get(ctx context.Context, s *slot) (Secret, error) {
	t.mu.Lock()
	arrived := s.tries
	t.mu.Unlock()
	if access, done, err := t.known(s, arrived); done {
		return access, err
	}
	if err := s.take(ctx); err != nil {
		return "", err
	}
	defer s.release()
	if access, done, err := t.known(s, arrived); done {
		return access, err
	}
	return t.ask(ctx, s)
}

// known answers from memory, if it can. arrived is the number of logins that
// had ended when the caller came.
func (t *tokens) known(s *slot, arrived int) (access Secret, done bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if e := s.refused(now); e != nil {
		return "", true, t.remembered(e)
	}
	left := s.token.left(now)
	if left > earlyRefresh || (left > 0 && now.Before(s.nextAsk)) {
		return s.token.access, true, nil
	}
	// A user's login names our client too.
	if e := t.client.refused(now); e != nil {
		return "", true, t.remembered(e)
	}
	if s.tries > arrived && s.failure != nil {
		return "", true, s.failure
	}
	return "", false, nil
}

// remembered is a refusal that is told again without a call.
func (t *tokens) remembered(e *Error) *Error {
	if e.Class == ClassUnavailable {
		t.metrics.held.WithLabelValues(e.Operation, CodeClientRefused).Inc()
	}
	return e
}

// ask logs in. The caller has the turn.
func (t *tokens) ask(ctx context.Context, s *slot) (Secret, error) {
	t.mu.Lock()
	wait := time.Until(s.lastAsk.Add(askGap))
	t.mu.Unlock()
	if err := sleep(ctx, wait); err != nil {
		return "", err
	}
	g := grant{op: opUserToken, user: s.user}
	if s == t.client {
		g.op = opClientToken
	}
	sent := time.Now()
	fresh, err := t.login(ctx, g)
	if ctx.Err() != nil && err != nil {
		return "", err // says nothing to those who wait
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil && s.countedDown(fresh) {
		s.lastAsk = sent
		err = ranOut(g.op)
	}
	s.tries++
	s.failure = err
	if err != nil {
		t.remember(s, err)
		// A token that still lives is better than none.
		if left := s.token.left(time.Now()); left > 0 && s.refusal == nil {
			s.nextAsk = time.Now().Add(max(askGap, left/2))
			return s.token.access, nil
		}
		return "", err
	}
	s.lastAsk = sent // a failure needs no gap of ours: the caller keeps one
	t.keep(s, fresh)
	return fresh.access, nil
}

// keep stores a token and forgets refusals. It is called with mu held.
func (t *tokens) keep(s *slot, fresh token) {
	now := time.Now()
	s.token, s.proven = fresh, true
	s.refusal, t.client.refusal = nil, nil // every login names our client
	t.metrics.clientRefused.Set(0)
	// What is left may be little, since the endpoint repeats a token until its
	// end. It is then used to the end, and asked for less and less seldom.
	s.nextAsk = now.Add(max(askGap, fresh.left(now)/2))
}

// remember keeps a refused login in mind. It is called with mu held.
func (t *tokens) remember(s *slot, err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return
	}
	switch e.Code {
	case CodeClientRefused:
		t.client.refusal, t.client.refusedTil = e, time.Now().Add(refusedClientPause)
		t.client.token = token{}
		t.metrics.clientRefused.Set(1)
	case CodeUserRefused:
		pause := refusedUserPause
		if e.unread {
			pause = unreadRefusalPause
		}
		s.refusal, s.refusedTil = e, time.Now().Add(pause)
		s.token, s.exists = token{}, false
		if s.proven && e.Status == http.StatusBadRequest && !e.unread {
			// The key has not changed since: it is read when the process starts.
			e.Code, e.detail = CodeUserGone, "this login went well before, so the user was deleted meanwhile"
			return
		}
		t.metrics.userRefused.Inc()
	}
}

// forForm returns a token that should outlive a form. If it has too little left,
// the refresh grant may give a new one; the endpoint would repeat the old one to
// a login. If that does not help either the form is created all the same: most
// users are done in a few minutes.
func (t *tokens) forForm(ctx context.Context, s *slot) (Secret, error) {
	access, err := t.get(ctx, s)
	if err != nil {
		return "", err
	}
	if t.suits(s, access) {
		return access, nil
	}
	if err := s.take(ctx); err != nil {
		return "", err
	}
	defer s.release()
	t.mu.Lock()
	now := time.Now()
	old := s.token
	try := old.left(now) < formTokenLife && old.refresh != "" && !now.Before(s.nextTry)
	if try {
		s.nextTry = now.Add(refreshGap)
	}
	t.mu.Unlock()
	if try {
		fresh, err := t.login(ctx, grant{op: opRefreshToken, user: s.user, refresh: old.refresh})
		if ctx.Err() != nil && err != nil {
			return "", err
		}
		t.refreshed(s, old, fresh, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now = time.Now()
	left := s.token.left(now)
	if s.over(s.token.access) {
		return "", ranOut(opUserToken)
	}
	if left <= 0 { // dropped or run out since: whoever calls with it gets a 401 and logs in
		return access, nil
	}
	if left < formTokenLife {
		t.metrics.shortTokens.Inc()
		if now.Sub(t.warnedAt) >= shortTokenLogGap {
			t.warnedAt = now
			t.log.Warn("the user's token may end before the web form: set the user token life of the provider client to 2 h or more",
				"left", left.Round(time.Second))
		}
	}
	return s.token.access, nil
}

// refreshed notes what a refresh gave. A refused refresh token is forgotten; it
// is no refused login.
func (t *tokens) refreshed(s *slot, old, fresh token, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e, ok := errors.AsType[*Error](err); {
	case err == nil && s.countedDown(fresh):
	case err == nil:
		if fresh.refresh == "" {
			fresh.refresh = old.refresh
		}
		if fresh.left(time.Now()) > s.token.left(time.Now()) {
			t.keep(s, fresh)
		}
	case ok && e.Code == CodeUserRefused:
		if s.token.refresh == old.refresh {
			s.token.refresh = ""
		}
	default:
		t.remember(s, err)
	}
}

// suits reports whether the token outlives a form.
func (t *tokens) suits(s *slot, access Secret) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return s.token.access == access && s.token.left(time.Now()) >= formTokenLife
}

// drop forgets a token that was refused, unless there is a newer one already.
func (t *tokens) drop(s *slot, access Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.token.access == access {
		s.token = token{}
	}
}

// left is how long the slot's token may still be used.
func (t *tokens) left(s *slot) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(s.token.left(time.Now()), 0)
}

// exists reports whether the user is known to exist at the provider.
func (t *tokens) exists(s *slot) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return s.exists
}

// found notes that the user exists. A user who was created just now has the
// password we derive, whatever was refused before.
func (t *tokens) found(s *slot, created bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.exists = true
	switch {
	case created:
		s.token, s.refusal, s.failure = token{}, nil, nil
	case s.refusal != nil && s.refusal.Code == CodeUserGone:
		s.refusal, s.proven = nil, false // there it is: somebody has changed its password
	}
}

// refused returns the refusal of the last login while it counts, else nil. It
// is called with tokens.mu held.
func (s *slot) refused(now time.Time) *Error {
	if s.refusal == nil || !now.Before(s.refusedTil) {
		return nil
	}
	e := *s.refusal
	if e.Class == ClassUnavailable {
		e.RetryAfter = s.refusedTil.Sub(now)
	}
	return &e
}

// countedDown reports whether a token that seems to be for ever, with a life of
// 0, is one whose life has been counted down to 0, and remembers it. It is called
// with tokens.mu held. Where nothing is known of the token's life, as after a
// start, it cannot tell.
func (s *slot) countedDown(fresh token) bool {
	if fresh.life == 0 && s.ended != fresh.access && s.token.access == fresh.access && s.token.life != 0 {
		s.ended, s.endedAt = fresh.access, time.Now()
	}
	return fresh.life == 0 && s.over(fresh.access)
}

// over reports whether a token has just now been counted down to its end. It is
// called with tokens.mu held.
func (s *slot) over(access Secret) bool {
	return access != "" && s.ended == access && time.Since(s.endedAt) < deadToken
}

func ranOut(op operation) *Error {
	return &Error{
		Operation: string(op), Status: http.StatusOK, Code: CodeTokenRefused, Class: ClassRetry, RetryAfter: askGap,
		detail: "the login repeats a token that has run out",
	}
}

// take waits for the turn.
func (s *slot) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slot) release() { <-s.turn }

// sleep waits at most askGap in practice: it keeps two logins apart.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
