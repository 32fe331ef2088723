package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bankimport/bankimport/internal/simulator/player"
)

// expireUnopened gives the forms that nobody will open so long to live, so that
// all others need not hurry.
func (w *world) expireUnopened(imports []wanted, life time.Duration) {
	w.Helper()
	for _, i := range imports {
		if i.intent == vanishes {
			w.fault(fmt.Sprintf("form-short-lived:delay=%s@user=%s@bank=%d", life, w.providerUser(i.userID), i.bankID))
		}
	}
}

// startUsers plays the users of the imports: each does with its web form what
// was planned, as soon as upstream knows the form's address and a while of its
// own has passed. Nil stands for no while. The function that it returns waits
// for all of them.
//
// A user who does not get through is no failure here: on a slow machine a form
// may expire first. What the form then became is the truth that is judged.
func (w *world) startUsers(imports []wanted, while func() time.Duration) (wait func()) {
	w.Helper()
	planned := make(map[string]intent, len(imports)) // by import id
	for _, i := range imports {
		planned[i.importID] = i.intent
	}
	ctx, stop := context.WithCancel(w.ctx)
	var users sync.WaitGroup
	var failed sync.Map // import id → error
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		seen := 0
		for ctx.Err() == nil {
			_ = w.log.Until(ctx, "a web form", func() bool { // its error is that there is nothing more to come
				return len(w.log.Topic("webform-created")) > seen
			})
			for _, r := range w.log.Topic("webform-created")[seen:] {
				seen++
				var created struct{ URL string }
				if err := json.Unmarshal(r.Value, &created); err != nil || created.URL == "" {
					w.Errorf("webform-created without a form's address: %v", err)
					continue
				}
				id := string(r.Key)
				users.Go(func() {
					if while != nil {
						if !pause(ctx, while()) {
							return
						}
					}
					if err := w.act(ctx, planned[id], created.URL); err != nil {
						failed.Store(id, err)
					}
				})
			}
		}
	}()
	return func() {
		stop()
		<-followed
		users.Wait()
		n := 0
		failed.Range(func(id, err any) bool {
			if n++; n <= 3 {
				w.Logf("the user of import %v did not get through: %v", id, err)
			}
			return true
		})
		if n > 0 {
			w.Logf("%d users did not get through", n)
		}
	}
}

func (w *world) act(ctx context.Context, i intent, url string) error {
	switch i {
	case completes:
		return player.Play(ctx, url)
	case aborts:
		return player.Cancel(ctx, url)
	case isFollowed:
		return follow(ctx, url)
	case isPreceded:
		return precede(ctx, url)
	case lingers:
		return w.linger(ctx, url)
	default:
		return nil
	}
}

// pause is false where ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// upTo is a while of at most d.
func upTo(rng *rand.Rand, d time.Duration) func() time.Duration {
	var mu sync.Mutex // a source of chance is for one goroutine
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(rng.Int64N(int64(d)))
	}
}
