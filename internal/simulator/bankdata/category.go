package bankdata

// Category is what the provider files a row under. Ids differ between the real
// provider's environments, so readers should go by name.
type Category struct {
	ID         int64
	Name       string
	ParentID   int64 // 0: none
	ParentName string
}

// The categories, by the constants below.
func categories() []Category {
	under := func(id int64, name string, parent Category) Category {
		return Category{ID: id, Name: name, ParentID: parent.ID, ParentName: parent.Name}
	}
	income := Category{ID: 9100, Name: "Einnahmen"}
	living := Category{ID: 9200, Name: "Lebenshaltung"}
	home := Category{ID: 9300, Name: "Wohnen"}
	leisure := Category{ID: 9400, Name: "Freizeit"}
	money := Category{ID: 9500, Name: "Finanzen"}
	return []Category{
		catSalary:     under(9101, "Gehalt", income),
		catFamily:     under(9102, "Familienleistungen", income),
		catFees:       under(9103, "Honorare", income),
		catInterest:   under(9104, "Zinserträge", income),
		catRefund:     under(9105, "Erstattungen", income),
		catGroceries:  under(9201, "Lebensmittel", living),
		catDrugstore:  under(9202, "Drogerie und Gesundheit", living),
		catClothes:    under(9203, "Kleidung", living),
		catCar:        under(9204, "Auto und Verkehr", living),
		catChildren:   under(9205, "Kinder", living),
		catShopping:   under(9206, "Einkäufe", living),
		catRent:       under(9301, "Miete", home),
		catEnergy:     under(9302, "Strom, Gas und Wasser", home),
		catTelecom:    under(9303, "Telefon und Internet", home),
		catRestaurant: under(9401, "Essen gehen", leisure),
		catCulture:    under(9402, "Kultur und Medien", leisure),
		catTravel:     under(9403, "Reisen", leisure),
		catSport:      under(9404, "Sport und Vereine", leisure),
		catInsurance:  under(9501, "Versicherungen", money),
		catSavings:    under(9502, "Sparen", money),
		catTransfer:   under(9503, "Umbuchung", money),
		catCash:       under(9504, "Bargeld", money),
		catBankFees:   under(9505, "Bankgebühren", money),
	}
}

const (
	catNone = iota - 1 // nobody knows what it is
	catSalary
	catFamily
	catFees
	catInterest
	catRefund
	catGroceries
	catDrugstore
	catClothes
	catCar
	catChildren
	catShopping
	catRent
	catEnergy
	catTelecom
	catRestaurant
	catCulture
	catTravel
	catSport
	catInsurance
	catSavings
	catTransfer
	catCash
	catBankFees
)
