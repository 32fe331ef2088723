package schemas_test

import (
	"fmt"
	"time"

	"github.com/bankimport/bankimport/schemas"
)

// An upstream service asks for an import.
func ExampleEncode() {
	request := schemas.ImportRequested{
		ImportID:     "7f3a0c1e-5b7d-4c55-9e0a-2f6d1f0b91c2",
		UserID:       "customer-4711",
		BankID:       280001,
		AccountTypes: []string{schemas.AccountTypeChecking},
	}
	value, headers, err := schemas.Encode(request, schemas.Meta{
		Source: "import",
		Time:   time.Date(2026, 11, 22, 9, 15, 2, 0, time.UTC),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("topic", request.Topic(), "key", request.Key())
	fmt.Println(string(value))
	for _, h := range headers {
		fmt.Printf("%s: %s\n", h.Key, h.Value)
	}
	// Output:
	// topic import-requested key 7f3a0c1e-5b7d-4c55-9e0a-2f6d1f0b91c2
	// {"import_id":"7f3a0c1e-5b7d-4c55-9e0a-2f6d1f0b91c2","user_id":"customer-4711","bank_id":280001,"account_types":["checking"]}
	// ce_specversion: 1.0
	// ce_id: f2470517-95d0-5050-8954-0650f75a73cb
	// ce_type: bankimport.import-requested.v1
	// ce_source: /bankimport/import
	// ce_time: 2026-11-22T09:15:02.000Z
	// ce_subject: 7f3a0c1e-5b7d-4c55-9e0a-2f6d1f0b91c2
	// content-type: application/json
}

// A misspelt field and a wrong value are reported at once, and never quoted.
func ExampleDecodeImportRequested() {
	_, err := schemas.DecodeImportRequested([]byte(`{
		"import_id": "7f3a0c1e-5b7d-4c55-9e0a-2f6d1f0b91c2",
		"user_id": "customer-4711",
		"account_type": ["checking"],
		"max_days": "90"
	}`))
	fmt.Println(err)
	// Output:
	// import-requested: max_days: must be a number; account_type: unknown field; did you mean account_types?
}

// A reader of the final events.
func ExampleDecode() {
	record := []byte(`{"import_id":"7f3a0c1e-5b7d-4c55-9e0a-2f6d1f0b91c2","run":1,"reason":"form_expired","retryable":true,
		"failed_at":"2026-11-22T09:37:05.000Z","field_of_a_later_version":1}`)
	failed, err := schemas.Decode[schemas.ImportFailed](record)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(failed.Reason, failed.Retryable)
	// Output:
	// form_expired true
}

// A topic may carry several events; the header ce_type tells which.
func ExampleTypeOf() {
	fmt.Println(schemas.TypeOf("bankimport.webform-awaited.v1", schemas.TopicWebformCompleted))
	fmt.Println(schemas.TypeOf("", schemas.TopicImportRequested))
	// Output:
	// webform-awaited true
	// import-requested true
}

// All that is wrong with a request is reported at once.
func ExampleImportRequested_Validate() {
	request := schemas.ImportRequested{ImportID: "1", UserID: "customer-4711", AccountTypes: []string{"giro"}}
	fmt.Println(request.Validate())
	// Output:
	// import-requested: import_id: must be a lower-case UUID; account_types: unknown account type; allowed are bausparen, checking, credit_card, loan, membership, savings, security
}
