package bankdata

// booking is the way in which money moved, as German banks word and code it.
type booking struct {
	text        string // the bank's wording
	zka, swift  string
	code        string // ISO 20022 bank transaction code
	german      string // what that code means
	english     string
	purpose     string // SEPA purpose code
	directDebit bool   // has a mandate and a creditor id
	viaBank     bool   // between the customer and the bank: no other account
}

const (
	debit = iota
	cardDebit
	cardPayment
	standingOrder
	transferOut
	transferIn
	salary
	cash
	interest
	fee
)

func bookings() []booking {
	return []booking{
		debit:         {text: "SEPA-Lastschrift", zka: "105", swift: "DDT", code: "PMNT-RDDT-ESDD", german: "SEPA-Basislastschrift", english: "SEPA core direct debit", directDebit: true},
		cardDebit:     {text: "Kartenzahlung", zka: "107", swift: "DDT", code: "PMNT-CCRD-POSD", german: "Kartenzahlung im Handel", english: "Point-of-sale payment by card", purpose: "IDCP"},
		cardPayment:   {text: "Kreditkartenumsatz", swift: "MSC", code: "PMNT-CCRD-POSC", german: "Zahlung mit Kreditkarte", english: "Credit card payment"},
		standingOrder: {text: "Dauerauftrag", zka: "117", swift: "STO", code: "PMNT-ICDT-STDO", german: "Ausführung eines Dauerauftrags", english: "Standing order", purpose: "RINP"},
		transferOut:   {text: "Überweisung", zka: "116", swift: "TRF", code: "PMNT-ICDT-ESCT", german: "SEPA-Überweisung", english: "SEPA credit transfer"},
		transferIn:    {text: "Gutschrift", zka: "166", swift: "TRF", code: "PMNT-RCDT-ESCT", german: "Eingang einer SEPA-Überweisung", english: "SEPA credit transfer received"},
		salary:        {text: "Lohn, Gehalt, Rente", zka: "153", swift: "TRF", code: "PMNT-RCDT-SALA", german: "Eingang von Lohn oder Gehalt", english: "Salary received", purpose: "SALA"},
		cash:          {text: "Geldautomat", zka: "83", swift: "MSC", code: "PMNT-CCRD-CWDL", german: "Auszahlung am Geldautomaten", english: "Cash withdrawal", viaBank: true},
		interest:      {text: "Abschluss", zka: "805", swift: "INT", code: "ACMT-MCOP-INTR", german: "Zinsen", english: "Interest", viaBank: true},
		fee:           {text: "Entgelt", zka: "808", swift: "CHG", code: "ACMT-MDOP-CHRG", german: "Entgelt der Bank", english: "Bank charges", viaBank: true},
	}
}
