package transactions

import (
	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/schemas"
)

// transaction is a row of an account as one read of it gave it.
func transaction(r finapi.Transaction, st *state, a *account, importID string) schemas.Transaction {
	t := schemas.Transaction{
		TransactionKey: schemas.TransactionKey(a.Key, r.ID), AccountKey: a.Key,
		ImportID: importID, Run: st.Run, Read: a.Read, ReadStartedAt: a.StartedAt, ProviderTransactionID: r.ID,

		BookingDate: r.BankBookingDate, ValueDate: r.ValueDate, FinapiBookingDate: r.FinapiBookingDate,
		Amount: r.Amount, Currency: r.Currency, Purpose: r.Purpose,

		CounterpartName: r.CounterpartName, CounterpartIBAN: r.CounterpartIBAN,
		CounterpartAccountNumber: r.CounterpartAccountNumber, CounterpartBIC: r.CounterpartBIC,
		CounterpartBankName: r.CounterpartBankName, CounterpartMandateReference: r.CounterpartMandateReference,
		CounterpartCreditorID: r.CounterpartCreditorID, CounterpartDebitorID: r.CounterpartDebitorID,
		CounterpartCustomerReference: r.CounterpartCustomerReference,

		EndToEndReference: r.EndToEndReference, TransactionType: r.Type, TypeCodeZKA: r.TypeCodeZKA,
		TypeCodeSWIFT: r.TypeCodeSWIFT, SEPAPurposeCode: r.SEPAPurposeCode, BankTransactionCode: r.BankTransactionCode,
		Primanota: r.Primanota,

		OriginalAmount: r.OriginalAmount, OriginalCurrency: r.OriginalCurrency,
		FeeAmount: r.FeeAmount, FeeCurrency: r.FeeCurrency, CompensationAmount: r.CompensationAmount,

		PotentialDuplicate: r.PotentialDuplicate, AdjustingEntry: r.AdjustingEntry, ImportedAt: schemas.At(r.ImportedAt),
	}
	if c := r.Category; c != nil {
		t.CategoryName, t.CategoryParentName, t.CategoryCustom = c.Name, c.ParentName, new(c.Custom)
	}
	return t
}
