package schemas

import "strconv"

// Transaction is one booked row of an account, as one read of the account gave
// it. The newest record of a key is the truth. It holds personal data, and its
// texts come from strangers.
//
// Amounts are decimal text, exactly as the provider wrote it; negative means
// spending. Where Currency is absent the account's own applies.
type Transaction struct {
	TransactionKey        string  `json:"transaction_key"` // see [TransactionKey]
	AccountKey            string  `json:"account_key"`
	ImportID              string  `json:"import_id"`
	Run                   int     `json:"run"`
	Read                  int     `json:"read"` // number of the read; it rises within an import
	ReadStartedAt         Instant `json:"read_started_at"`
	ProviderTransactionID int64   `json:"provider_transaction_id"`

	BookingDate       string `json:"booking_date"`
	ValueDate         string `json:"value_date"`
	FinapiBookingDate string `json:"finapi_booking_date"` // moves while the booking lies in the future
	Amount            string `json:"amount"`
	Currency          string `json:"currency,omitempty"` // ISO 4217
	Purpose           string `json:"purpose,omitempty"`

	CounterpartName              string `json:"counterpart_name,omitempty"`
	CounterpartIBAN              string `json:"counterpart_iban,omitempty"`
	CounterpartAccountNumber     string `json:"counterpart_account_number,omitempty"`
	CounterpartBIC               string `json:"counterpart_bic,omitempty"`
	CounterpartBankName          string `json:"counterpart_bank_name,omitempty"`
	CounterpartMandateReference  string `json:"counterpart_mandate_reference,omitempty"`
	CounterpartCreditorID        string `json:"counterpart_creditor_id,omitempty"`
	CounterpartDebitorID         string `json:"counterpart_debitor_id,omitempty"`
	CounterpartCustomerReference string `json:"counterpart_customer_reference,omitempty"`

	EndToEndReference   string `json:"end_to_end_reference,omitempty"`
	TransactionType     string `json:"type,omitempty"` // the bank's own wording
	TypeCodeZKA         string `json:"type_code_zka,omitempty"`
	TypeCodeSWIFT       string `json:"type_code_swift,omitempty"`
	SEPAPurposeCode     string `json:"sepa_purpose_code,omitempty"`
	BankTransactionCode string `json:"bank_transaction_code,omitempty"`
	Primanota           string `json:"primanota,omitempty"`

	CategoryName       string `json:"category_name,omitempty"`
	CategoryParentName string `json:"category_parent_name,omitempty"`
	CategoryCustom     *bool  `json:"category_custom,omitempty"` // set where there is a category

	OriginalAmount     string `json:"original_amount,omitempty"`
	OriginalCurrency   string `json:"original_currency,omitempty"`
	FeeAmount          string `json:"fee_amount,omitempty"`
	FeeCurrency        string `json:"fee_currency,omitempty"`
	CompensationAmount string `json:"compensation_amount,omitempty"`

	PotentialDuplicate bool    `json:"potential_duplicate"` // the provider suspects a duplicate
	AdjustingEntry     bool    `json:"adjusting_entry"`     // made up by the provider to match the balance
	ImportedAt         Instant `json:"imported_at"`         // by the provider
}

// Type implements [Event].
func (Transaction) Type() string { return TypeTransaction }

// Topic implements [Event].
func (Transaction) Topic() string { return TopicTransactions }

// Key implements [Event].
func (t Transaction) Key() string { return t.TransactionKey }

// Subject implements [Event].
func (t Transaction) Subject() string { return t.ImportID }

// ID implements [Event]. Its subject is the transaction and the read.
func (t Transaction) ID() string {
	return eventID(t.ImportID, t.Type(), t.Run, t.TransactionKey, strconv.Itoa(t.Read))
}
