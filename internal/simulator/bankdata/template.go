package bankdata

// template is one reason for which money moves again and again. In purposes,
// {month} is the month of the booking, {year} its year, {date} its day and {ref}
// a number of its own.
type template struct {
	name     string // the other side; empty: the bank itself
	purpose  string
	booking  int
	category int
	from, to Cents // the amount is between them, both included; negative is spending
	weight   int   // how often, among the rows of an account that are drawn by chance
	foreign  string
}

// Regular payments, by name.
const (
	tplSalary = iota
	tplFamily
	tplRent
	tplKindergarten
	tplToHousehold
	tplToSavings
	tplEnergy
	tplPhone
	tplInternet
	tplInsurance
	tplMedia
	tplClub
	tplCardBill
	tplAccountFee
	tplStatement
	tplFromMain
	tplSecondSalary
	tplLoan
	tplLeasing
	tplMusic
	tplHealth
	tplPension
	tplSaved
	tplInterest
	tplCardSettled
	regularTemplates
)

func regulars() []template {
	return []template{
		tplSalary:       {name: "Kettenwerk Maschinenbau GmbH", purpose: "LOHN/GEHALT {month} {year} PERS.-NR. {ref}", booking: salary, category: catSalary, from: 385000, to: 385000},
		tplFamily:       {name: "Familienkasse Musterland", purpose: "KINDERGELD {month} {year} KG-NR {ref}", booking: transferIn, category: catFamily, from: 51000, to: 51000},
		tplRent:         {name: "Wohnbau Lindenhain eG", purpose: "MIETE {month} {year} WHG 3 LI", booking: standingOrder, category: catRent, from: -150000, to: -150000},
		tplKindergarten: {name: "Kita Wirbelwind e.V.", purpose: "ELTERNBEITRAG {month} {year}", booking: debit, category: catChildren, from: -21800, to: -21800},
		tplToHousehold:  {name: "Robin Beispiel", purpose: "HAUSHALTSGELD {month}", booking: standingOrder, category: catTransfer, from: -150000, to: -150000},
		tplToSavings:    {name: "Robin Beispiel", purpose: "SPAREN {month}", booking: standingOrder, category: catSavings, from: -50000, to: -50000},
		tplEnergy:       {name: "Stadtwerke Musterbach", purpose: "ABSCHLAG STROM GAS {month} {year} VK {ref}", booking: debit, category: catEnergy, from: -18900, to: -18900},
		tplPhone:        {name: "Funkwelle Mobil GmbH", purpose: "RECHNUNG {ref} MOBILFUNK", booking: debit, category: catTelecom, from: -2499, to: -2499},
		tplInternet:     {name: "Glasfaser Nordlicht GmbH", purpose: "KD-NR {ref} INTERNET {month} {year}", booking: debit, category: catTelecom, from: -3995, to: -3995},
		tplInsurance:    {name: "Apfelbaum Versicherung AG", purpose: "HAUSRAT HAFTPFLICHT {month} {year} VS {ref}", booking: debit, category: catInsurance, from: -4710, to: -4710},
		tplMedia:        {name: "Streamwerk Abo", purpose: "MITGLIEDSCHAFT {month}", booking: debit, category: catCulture, from: -1299, to: -1299},
		tplClub:         {name: "Turnverein Blau-Gelb 1904", purpose: "BEITRAG {month} {year} MITGL {ref}", booking: debit, category: catSport, from: -2250, to: -2250},
		tplCardBill:     {name: "Kartenabrechnung", purpose: "KREDITKARTE ABRECHNUNG {month} {year}", booking: debit, category: catTransfer, from: -50000, to: -50000},
		tplAccountFee:   {purpose: "KONTOFUEHRUNG {month} {year}", booking: fee, category: catBankFees, from: -490, to: -490},
		tplStatement:    {purpose: "RECHNUNGSABSCHLUSS {month} {year} SALDO DER ZINSEN", booking: interest, category: catBankFees},
		tplFromMain:     {name: "Robin Beispiel", purpose: "HAUSHALTSGELD {month}", booking: transferIn, category: catTransfer, from: 150000, to: 150000},
		tplSecondSalary: {name: "Schulzentrum Musterbach", purpose: "BEZUEGE {month} {year} PERS.-NR. {ref}", booking: salary, category: catSalary, from: 280000, to: 280000},
		tplLoan:         {name: "Musterbacher Kreditgenossenschaft", purpose: "RATE DARLEHEN {month} {year} NR {ref}", booking: debit, category: catRent, from: -195000, to: -195000},
		tplLeasing:      {name: "Autohaus Talblick Leasing", purpose: "LEASINGRATE {month} {year}", booking: debit, category: catCar, from: -38900, to: -38900},
		tplMusic:        {name: "Musikschule Tonleiter", purpose: "UNTERRICHT {month} {year}", booking: standingOrder, category: catChildren, from: -9600, to: -9600},
		tplHealth:       {name: "Gesundheitskasse Morgentau", purpose: "BEITRAG {month} {year} VS-NR {ref}", booking: debit, category: catInsurance, from: -61200, to: -61200},
		tplPension:      {name: "Weitblick Vorsorge AG", purpose: "VERTRAG {ref} {month} {year}", booking: debit, category: catSavings, from: -79000, to: -79000},
		tplSaved:        {name: "Robin Beispiel", purpose: "SPAREN {month}", booking: transferIn, category: catSavings, from: 50000, to: 50000},
		tplInterest:     {purpose: "HABENZINSEN {month} {year}", booking: interest, category: catInterest, from: 900, to: 3400},
		tplCardSettled:  {name: "Robin Beispiel", purpose: "AUSGLEICH KARTENABRECHNUNG {month} {year}", booking: transferIn, category: catTransfer, from: 50000, to: 50000},
	}
}

// everyday is what is drawn by chance for checking accounts.
func everyday() []template {
	return []template{
		{name: "Kornblume Biomarkt", purpose: "KARTENZAHLUNG {date} KORNBLUME BIOMARKT MUSTERBACH", booking: cardDebit, category: catGroceries, from: -9800, to: -1250, weight: 13},
		{name: "Markthalle Süd Lebensmittel", purpose: "{date} MARKTHALLE SUED//MUSTERBACH/DE", booking: cardDebit, category: catGroceries, from: -7400, to: -640, weight: 13},
		{name: "Bäckerei Morgenrot", purpose: "{date} BAECKEREI MORGENROT", booking: cardDebit, category: catGroceries, from: -1650, to: -180, weight: 10},
		{name: "Drogerie Seifenblase", purpose: "EC {ref} DROGERIE SEIFENBLASE FIL 12", booking: cardDebit, category: catDrugstore, from: -4600, to: -395, weight: 7},
		{name: "Tankstelle Kreuzweg", purpose: "{date} TANKSTELLE KREUZWEG SAEULE 4", booking: cardDebit, category: catCar, from: -9200, to: -3500, weight: 6},
		{name: "Stadtbahn Musterbach", purpose: "FAHRKARTE {ref}", booking: debit, category: catCar, from: -3900, to: -290, weight: 6},
		{name: "Trattoria Bellavista", purpose: "{date} TRATTORIA BELLAVISTA", booking: cardDebit, category: catRestaurant, from: -8600, to: -1800, weight: 5},
		{name: "Kaffeerösterei Schwarzbohne", purpose: "{date} SCHWARZBOHNE KAFFEE", booking: cardDebit, category: catRestaurant, from: -2400, to: -350, weight: 5},
		{name: "Buchladen Seitenweise", purpose: "{date} SEITENWEISE BUCHHANDEL", booking: cardDebit, category: catCulture, from: -5200, to: -900, weight: 3},
		{name: "Lichtspielhaus Kino", purpose: "KINO {date} 2 KARTEN", booking: cardDebit, category: catCulture, from: -3400, to: -1700, weight: 2},
		{name: "Apotheke am Rosenplatz", purpose: "{date} APOTHEKE AM ROSENPLATZ", booking: cardDebit, category: catDrugstore, from: -5900, to: -480, weight: 3},
		{name: "Paketino Versandhaus GmbH", purpose: "BESTELLUNG {ref} DANKE FUER IHREN EINKAUF", booking: debit, category: catShopping, from: -18900, to: -799, weight: 6},
		{name: "Gartencenter Grünewelt", purpose: "{date} GRUENEWELT GARTENCENTER", booking: cardDebit, category: catShopping, from: -7800, to: -1150, weight: 2},
		{name: "Modehaus Faden & Co KG", purpose: "{date} FADEN+CO MODEHAUS", booking: cardDebit, category: catClothes, from: -16900, to: -1990, weight: 3},
		{name: "Schuhhaus Sohle", purpose: "{date} SCHUHHAUS SOHLE", booking: cardDebit, category: catClothes, from: -12900, to: -3990, weight: 1},
		{name: "Spielwaren Kreisel", purpose: "{date} SPIELWAREN KREISEL", booking: cardDebit, category: catChildren, from: -5400, to: -799, weight: 2},
		{name: "Fahrradhaus Pedale", purpose: "RE {ref} INSPEKTION", booking: cardDebit, category: catCar, from: -14500, to: -1290, weight: 1},
		{name: "Tierarztpraxis Dr. Pfote", purpose: "RECHNUNG {ref}", booking: transferOut, category: catShopping, from: -11800, to: -2450, weight: 1},
		{purpose: "GA NR {ref} MUSTERBACH {date}", booking: cash, category: catCash, from: -20000, to: -5000, weight: 4},
		{name: "Mara Musterfreund", purpose: "Danke fürs Auslegen!", booking: transferOut, category: catTransfer, from: -8500, to: -700, weight: 2},
		{name: "Paketino Versandhaus GmbH", purpose: "ERSTATTUNG RETOURE {ref}", booking: transferIn, category: catRefund, from: 799, to: 12900, weight: 2},
		{name: "Jonas Musterfreund", purpose: "Anteil Geschenk", booking: transferIn, category: catRefund, from: 500, to: 6000, weight: 1},
	}
}

// freelance is what is drawn besides for the main account.
func freelance() []template {
	return []template{
		{name: "Schreibwerk Projekte GmbH", purpose: "RECHNUNG {ref} VOM {date}", booking: transferIn, category: catFees, from: 90000, to: 165000, weight: 3},
	}
}

// saving is what is drawn for savings accounts.
func saving() []template {
	return []template{
		{name: "Robin Beispiel", purpose: "SONDERSPAREN {date}", booking: transferIn, category: catSavings, from: 60000, to: 170000, weight: 2},
		{name: "Robin Beispiel", purpose: "UMBUCHUNG {date}", booking: transferOut, category: catTransfer, from: -280000, to: -40000, weight: 7},
	}
}

// card is what is drawn for credit cards.
func card() []template {
	return []template{
		{name: "Hotel Seeblick", purpose: "HOTEL SEEBLICK {date}", booking: cardPayment, category: catTravel, from: -24000, to: -8900, weight: 2},
		{name: "Regionalexpress Fahrscheine", purpose: "ONLINE-TICKET {ref}", booking: cardPayment, category: catTravel, from: -9900, to: -1190, weight: 4},
		{name: "Pixelhafen Spiele", purpose: "PIXELHAFEN {ref}", booking: cardPayment, category: catCulture, from: -5999, to: -499, weight: 3},
		{name: "Paketino Versandhaus GmbH", purpose: "PAKETINO.EXAMPLE {ref}", booking: cardPayment, category: catShopping, from: -14900, to: -899, weight: 6},
		{name: "Café Eckstein", purpose: "CAFE ECKSTEIN {date}", booking: cardPayment, category: catRestaurant, from: -2900, to: -420, weight: 5},
		{name: "Harbour Lane Books", purpose: "HARBOUR LANE BOOKS LONDON {date}", booking: cardPayment, category: catCulture, from: -5400, to: -780, weight: 2, foreign: "GBP"},
		{name: "Maple Street Diner", purpose: "MAPLE STREET DINER PORTLAND {date}", booking: cardPayment, category: catRestaurant, from: -4800, to: -1100, weight: 2, foreign: "USD"},
		{name: "Bergbahn Sonnjoch", purpose: "BERGBAHN SONNJOCH {date}", booking: cardPayment, category: catTravel, from: -8800, to: -2400, weight: 1, foreign: "CHF"},
		{name: "Paketino Versandhaus GmbH", purpose: "GUTSCHRIFT {ref}", booking: cardPayment, category: catRefund, from: 899, to: 9900, weight: 1},
	}
}
