package simulator

import (
	"errors"
	"net/http"
	"regexp"
	"slices"

	"github.com/bankimport/bankimport/internal/finapi/api"
	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

// createForm is POST /api/webForms/bankConnectionImport.
func (s *Simulator) createForm(c *call) (int, any, *refusal) {
	body, no := c.body("application/json")
	if no != nil {
		return 0, nil, no
	}
	request, no := parseImport(body)
	if no != nil {
		return 0, nil, no
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if no := s.permits(request); no != nil {
		return 0, nil, no
	}
	bank, no := s.bankFor(request)
	if no != nil {
		return 0, nil, no
	}
	if s.open+len(s.running) >= s.config.MaxForms {
		return 0, nil, full("MaxForms")
	}
	f := s.newForm(c.user(), c.token, request, bank, c.now)
	return http.StatusCreated, s.writtenForm(f), nil
}

// parseImport checks the request by the letter of the contract.
func parseImport(body []byte) (api.ImportFormRequest, *refusal) {
	invalid := func(fields ...api.FormInvalidField) (api.ImportFormRequest, *refusal) {
		return api.ImportFormRequest{}, &refusal{status: http.StatusBadRequest, code: "BAD_REQUEST", fields: fields}
	}
	in, err := parseObject(body)
	if err != nil {
		return invalid(api.FormInvalidField{Field: "request", Message: err.Error()})
	}
	var r api.ImportFormRequest
	bank := in.object("bank")
	r.Bank.ID, r.Bank.Search = bank.integer("id", 1, 1<<62), bank.text("search", 0, maxBody)
	if bank.has("id") && bank.has("search") {
		bank.complain("id", "cannot stand beside search")
	}
	r.BankConnectionName = in.text("bankConnectionName", 1, 64)
	// The contract of Web Form names no least number of days, but that of Access,
	// which has to do the download, does.
	if r.MaxDaysForDownload = int(in.integer("maxDaysForDownload", 0, 3650)); r.MaxDaysForDownload != 0 && r.MaxDaysForDownload < 14 {
		in.complain("maxDaysForDownload", "must be 0 or from 14 to 3650")
	}
	r.Callbacks.Finalised = in.object("callbacks").url("finalised", 0)
	in.download(&r)
	if allow := in.flag("allowTestBank"); in.has("allowTestBank") {
		r.AllowTestBank = &allow
	}
	if fields := in.finish(); len(fields) > 0 {
		return invalid(fields...)
	}
	return r, nil
}

// download reads the fields that an import and an update have in common.
func (o *object) download(r *api.ImportFormRequest) {
	r.SkipPositionsDownload = o.flag("skipPositionsDownload")
	r.SkipBalancesDownload = o.flag("skipBalancesDownload")
	if r.SkipBalancesDownload && !r.SkipPositionsDownload {
		o.complain("skipBalancesDownload", "needs skipPositionsDownload")
	}
	r.SkipDuplicateDetection = o.flag("skipDuplicateDetection")
	r.LoadOwnerData = o.flag("loadOwnerData")
	for _, t := range o.set("accountTypes", "BAUSPAREN", "CHECKING", "CREDIT_CARD", "LOAN", "MEMBERSHIP", "SAVINGS", "SECURITY") {
		r.AccountTypes = append(r.AccountTypes, api.FormAccountType(t))
	}
	for _, i := range o.set("allowedInterfaces", "XS2A", "FINTS_SERVER", "WEB_SCRAPER") {
		r.AllowedInterfaces = append(r.AllowedInterfaces, api.BankingInterface(i))
	}
	r.ProfileID = o.text("profileId", formIDLength, formIDLength)
	r.RedirectURL = o.url("redirectUrl", 1)
}

// url is an https URL as Web Form takes it: a host with a dot, and after it
// letters, digits and a few signs. An empty one is allowed where least is 0.
func (o *object) url(field string, least int) string {
	s := o.text(field, least, 2048)
	if s != "" && !regexp.MustCompile(`^https://[-a-zA-Z0-9@:%._+~#=]{1,256}\.[a-zA-Z0-9()]{1,63}\b[-a-zA-Z0-9()@:%_+.~#?&/=]*$`).MatchString(s) {
		o.complain(field, "must be an https URL whose host has a dot, of letters, digits and -()@:%%_+.~#?&/= only")
	}
	return s
}

// permits checks what depends on the client's contract with the provider.
func (s *Simulator) permits(r api.ImportFormRequest) *refusal {
	if r.ProfileID != "" && !slices.Contains(s.config.Profiles, r.ProfileID) {
		return refuse(http.StatusNotFound, "NOT_FOUND", "", "There is no profile with this id.")
	}
	licensed := s.config.License == AISP || s.config.License == FullyLicensed
	if licensed && r.RedirectURL == "" {
		return refuse(http.StatusUnprocessableEntity, "INVALID_REDIRECT_URL", "", "redirectUrl is required for licensed clients.")
	}
	if !licensed && r.RedirectURL != "" {
		return refuse(http.StatusUnprocessableEntity, "INVALID_REDIRECT_URL", "", "redirectUrl is for licensed clients only.")
	}
	return nil
}

// bankFor finds the bank that the request names; without one the person chooses,
// and the result is empty. The caller holds the mutex.
func (s *Simulator) bankFor(r api.ImportFormRequest) (Bank, *refusal) {
	unsupported := refuse(http.StatusUnprocessableEntity, "BANK_NOT_SUPPORTED", "", "There is no such bank that can be connected this way.")
	switch {
	case r.Bank.ID != 0:
		if b, ok := s.catalogue.Bank(r.Bank.ID); ok && offers(r, b) {
			return b, nil
		}
		return Bank{}, unsupported
	case r.Bank.Search != "":
		b, err := s.catalogue.One(r.Bank.Search)
		if errors.Is(err, bankdata.ErrManyBanks) {
			return Bank{}, refuse(http.StatusUnprocessableEntity, "BANK_NOT_UNIQUE", "", "The search leads to several banks.")
		}
		if err != nil || !offers(r, b) {
			return Bank{}, unsupported
		}
		return b, nil
	default:
		return Bank{}, nil
	}
}

// ownForm finds the form that the path names. The caller holds the mutex.
func (s *Simulator) ownForm(c *call) (*form, *refusal) {
	f := s.formNow(c.r.PathValue("id"), c.now)
	if f == nil || f.user != c.user() {
		return nil, unknownEntity()
	}
	return f, nil
}

// getForm is GET /api/webForms/{id}.
func (s *Simulator) getForm(c *call) (int, any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, no := s.ownForm(c)
	if no != nil {
		return 0, nil, no
	}
	return http.StatusOK, s.writtenForm(f), nil
}

// cancelForm is POST /api/webForms/{id}/cancel. What the provider says of a form
// that has ended already is not documented; here it is refused.
func (s *Simulator) cancelForm(c *call) (int, any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, no := s.ownForm(c)
	if no != nil {
		return 0, nil, no
	}
	if final(f.status) {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "NOT_ALLOWED", "", "The form has ended already.")
	}
	s.end(f, api.WebFormStatusCancelled, "", c.now)
	return http.StatusOK, s.writtenForm(f), nil
}

// deleteForm is DELETE /api/webForms/{id}. A form that was open is gone without a
// callback.
func (s *Simulator) deleteForm(c *call) (int, any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, no := s.ownForm(c)
	if no != nil {
		return 0, nil, no
	}
	s.forgetForm(f)
	return http.StatusOK, nil, nil
}

// itemList is a list as Web Form writes it.
type itemList[T any] struct {
	Items  []T        `json:"items"`
	Paging api.Paging `json:"paging"`
}

// listItems answers with a part of what a user has, which is the oldest first.
func listItems[T, W any](own []T, newestFirst bool, part page, written func(T) W) (int, any, *refusal) {
	own = slices.Clone(own)
	if newestFirst {
		slices.Reverse(own)
	}
	from, to := part.of(len(own))
	list := itemList[W]{Items: []W{}, Paging: part.paging(len(own))}
	for _, item := range own[from:to] {
		list.Items = append(list.Items, written(item))
	}
	return http.StatusOK, list, nil
}

// listForms is GET /api/webForms.
func (s *Simulator) listForms(c *call) (int, any, *refusal) {
	q := c.query()
	newestFirst, part := q.newestFirst(), q.page()
	if q.no != nil {
		return 0, nil, q.no
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range slices.Clone(c.user().forms) {
		s.formNow(f.id, c.now)
	}
	return listItems(c.user().forms, newestFirst, part, s.writtenForm)
}

// writtenForm is api.WebForm whose payload spells out what is null.
type writtenForm struct {
	api.WebForm
	Payload payload `json:"payload"`
}

type payload struct {
	BankConnectionID *int64  `json:"bankConnectionId"`
	PaymentID        *int64  `json:"paymentId"`
	StandingOrderID  *int64  `json:"standingOrderId"`
	ErrorCode        *string `json:"errorCode"`
	ErrorMessage     *string `json:"errorMessage"`
}

func (s *Simulator) writtenForm(f *form) writtenForm {
	w := writtenForm{WebForm: api.WebForm{
		ID: f.id, URL: s.formURL(f.id), CreatedAt: formTime(f.created), ExpiresAt: formTime(f.expires),
		Type: "BANK_CONNECTION_IMPORT", Status: f.status,
	}}
	if f.task != nil {
		w.Type = bankConnectionUpdate
	}
	if !final(f.status) {
		return w
	}
	if f.connected != 0 {
		w.Payload.BankConnectionID = &f.connected
	}
	if f.code != "" {
		message := errorMessage(f.code)
		w.Payload.ErrorCode, w.Payload.ErrorMessage = &f.code, &message
	}
	return w
}

func errorMessage(code string) string {
	switch code {
	case codeEntityExists:
		return "Diese Bankverbindung gibt es schon."
	case codeBankRejection:
		return "Die Bank hat die Anmeldung abgelehnt."
	case codeInvalidToken:
		return "Das Token, mit dem der Vorgang begonnen wurde, ist abgelaufen."
	case codeNoAccounts:
		return "Bei dieser Bank gibt es keine Konten der gewünschten Art."
	default:
		return "Der Vorgang endete mit einem Fehler."
	}
}

func (s *Simulator) formURL(id string) string { return s.config.BaseURL + "/wf/" + id }
