package simulator

import "strings"

// answerFaults change how answers are written, not what they say.
func answerFaults() []*faultKind {
	return []*faultKind{
		{name: "unknown-fields", what: "All objects have a field that no document has; rows have cleanedPurpose besides.", edit: func(e *edit) { addFields(e.body) }},
		{name: "nulls-mixed", what: "In accounts and rows, every other one spells out what is missing as null, the others leave out even what is null.", ops: []string{"list-accounts", "list-transactions"}, edit: mixNulls},
		{name: "empty-object", what: "Instead of what was asked for there is {}.", edit: func(e *edit) { clear(e.body) }},
		{name: "error-as-200", what: "Status 200 with an error in it.", edit: func(e *edit) {
			clear(e.body)
			e.body["errors"] = []any{map[string]any{"code": "UNEXPECTED_ERROR", "type": "TECHNICAL", "message": "Unerwarteter Fehler."}}
		}},
	}
}

func addFields(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			addFields(inner)
		}
		if purpose, ok := v["purpose"]; ok {
			v["cleanedPurpose"] = purpose
		}
		v["addedLater"] = map[string]any{"list": []any{1, "two", nil}, "deep": map[string]any{"er": true}}
	case []any:
		for _, inner := range v {
			addFields(inner)
		}
	}
}

// What the contract lets be null or absent.
const (
	optionalOfAccount = "accountName iban subAccountNumber accountHolderName accountHolderId accountCurrency balance overdraft overdraftLimit availableFunds"
	optionalOfRow     = "parentId purpose counterpartName counterpartAccountNumber counterpartIban counterpartBlz counterpartBic counterpartBankName " +
		"counterpartMandateReference counterpartCustomerReference counterpartCreditorId counterpartDebitorId type typeCodeZka typeCodeSwift " +
		"sepaPurposeCode bankTransactionCode bankTransactionCodeDescription primanota category currency endToEndReference " +
		"compensationAmount originalAmount originalCurrency feeAmount feeCurrency differentDebitor differentCreditor"
)

func mixNulls(e *edit) {
	for list, optional := range map[string]string{"accounts": optionalOfAccount, "transactions": optionalOfRow} {
		for i, o := range e.objects(list) {
			for name := range strings.FieldsSeq(optional) {
				switch v, there := o[name]; {
				case i%2 == 0 && !there:
					o[name] = nil
				case i%2 == 1 && v == nil:
					delete(o, name)
				}
			}
		}
	}
}
