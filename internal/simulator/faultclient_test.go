package simulator_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/internal/simulator"
)

// What our client makes of the faults that hit calls: no fault may look like a
// good answer, but for those that do no harm.
func TestClientMeetsFaults(t *testing.T) {
	t.Parallel()
	const (
		good      = ""
		retry     = finapi.ClassRetry
		permanent = finapi.ClassPermanent
		later     = finapi.ClassUnavailable
	)
	rows := func(c *finapi.Client, w *metClient) error {
		_, err := c.Transactions(w.t.Context(), w.user, w.account, 1)
		return err
	}
	accounts := func(c *finapi.Client, w *metClient) error {
		_, err := c.Accounts(w.t.Context(), w.user, w.connection)
		return err
	}
	form := func(c *finapi.Client, w *metClient) error {
		_, err := c.CreateForm(w.t.Context(), w.user, finapi.FormRequest{})
		return err
	}
	for _, tt := range []struct {
		fault string
		call  func(*finapi.Client, *metClient) error
		code  string
		class finapi.Class
	}{
		{"slow-headers:delay=1h", rows, finapi.CodeTimeout, retry},
		{"connection-reset", rows, finapi.CodeNetwork, retry},
		{"answer-lost", form, finapi.CodeNetwork, retry},
		{"status-423", rows, "LOCKED", finapi.ClassWait},
		{"status-423:op=cancel-form", form, good, ""},
		{"status-429", rows, finapi.CodeSlowDown, later},
		{"status-500:op=list-transactions", rows, "UNEXPECTED_ERROR", retry},
		{"status-500:op=create-form", form, "INTERNAL_SERVER_ERROR", retry},
		{"status-502", rows, finapi.CodeUnknownErrorAnswer, retry},
		{"status-503", rows, finapi.CodeUnknownErrorAnswer, retry},
		{"status-504", rows, finapi.CodeUnknownErrorAnswer, retry},
		{"gateway-page", rows, finapi.CodeMalformed, retry},
		{"redirect", rows, finapi.CodeUnknownErrorAnswer, retry},
		{"empty-body", rows, finapi.CodeMalformed, retry},
		{"unknown-error", rows, finapi.CodeUnknownErrorAnswer, retry},
		{"slow-body:delay=1h", rows, finapi.CodeTimeout, retry},
		{"cut-body", rows, finapi.CodeNetwork, retry},
		{"oversized-body", rows, finapi.CodeTooLarge, retry},
		{"wrong-content-type", rows, good, ""},
		{"wrong-request-id", rows, finapi.CodeMixedUp, retry},
		{"client-refused", rows, finapi.CodeClientRefused, later},
		{"user-refused", rows, finapi.CodeUserRefused, permanent},
		{"user-locked", rows, finapi.CodeUserRefused, permanent},
		{"token-down", rows, finapi.CodeUnknownErrorAnswer, retry},
		{"token-refused", rows, finapi.CodeTokenRefused, retry},
		{"token-dies:after=0", rows, good, ""},
		{"user-deleted:after=0", rows, finapi.CodeUserGone, permanent},
		{"form-foreign-url", form, finapi.CodeForeignFormURL, permanent},
		{"iban-missing", accounts, good, ""},
		{"accounts-alike", accounts, good, ""},
		{"paging-missing", rows, finapi.CodeMalformed, retry},
		{"paging-incomplete", rows, finapi.CodeMalformed, retry},
		{"row-of-another-account", rows, finapi.CodeMalformed, retry},
		{"currency-null", rows, good, ""},
		{"currency-foreign", rows, good, ""},
		{"booking-drift", rows, good, ""},
		{"unknown-fields", rows, good, ""},
		{"unknown-fields:op=list-accounts", accounts, good, ""},
		{"unknown-fields:op=create-form", form, good, ""},
		{"nulls-mixed", rows, good, ""},
		{"nulls-mixed", accounts, good, ""},
		{"empty-object", rows, finapi.CodeMalformed, retry},
		{"error-as-200", rows, finapi.CodeMalformed, retry},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			w := newMetClient(t)
			if tt.code == finapi.CodeTimeout {
				w.config.RequestTimeout = 2 * time.Second
			}
			client := w.client()
			w.on(tt.fault)
			err := tt.call(client, w)
			if tt.code == good {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e, ok := errors.AsType[*finapi.Error](err); !ok || e.Code != tt.code || e.Class != tt.class {
				t.Errorf("got %v, want %s, %s", err, tt.code, tt.class)
			}
			if len(w.Journal().Faults) != 1 {
				t.Errorf("hits %v, want one fault", w.Journal().Faults)
			}
		})
	}
}

// metClient is our client before a simulator with an account.
type metClient struct {
	*apis
	config              finapi.Config
	user                finapi.User
	connection, account int64
}

func newMetClient(t *testing.T) *metClient {
	t.Helper()
	w := &metClient{apis: newAPIs(t, simulator.Config{DownloadTime: -1, CategorizationTime: -1})}
	server := httptest.NewServer(http.HandlerFunc(w.ServeHTTP))
	t.Cleanup(server.Close)
	w.config = finapi.Config{
		AccessURL: server.URL, WebFormURL: server.URL, FormHosts: []string{"simulator.example"}, ClientID: "client", ClientSecret: "secret",
		UserKey: "a-master-key-of-thirty-two-chars-or-more", RequestTimeout: 20 * time.Second,
	}
	setup := w.client()
	w.user = setup.User("somebody")
	if err := setup.EnsureUser(t.Context(), w.user); err != nil {
		t.Fatal(err)
	}
	form, err := setup.CreateForm(t.Context(), w.user, finapi.FormRequest{BankID: 280002})
	if err != nil {
		t.Fatal(err)
	}
	w.open(webForm{ID: form.ID}).connects()
	made := w.Journal().Connections[0]
	w.connection, w.account = made.ID, made.Accounts[0].ID
	return w
}

func (w *metClient) client() *finapi.Client {
	w.t.Helper()
	c, err := finapi.New(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}
