package flow

import (
	"cmp"
	"slices"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/schemas"
)

// InOrder returns accounts in the order of the provider's ids, each once.
func InOrder(accounts []finapi.Account) []finapi.Account {
	sorted := slices.Clone(accounts)
	slices.SortStableFunc(sorted, func(a, b finapi.Account) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(sorted, func(a, b finapi.Account) bool { return a.ID == b.ID })
}

// Loaded reports whether the provider has an account's data: at least one
// interface has downloaded it, deprecated ones aside. What the connection says
// about itself means nothing.
func Loaded(a finapi.Account) bool {
	return hasInterface(a, finapi.InterfaceUpdated) || hasInterface(a, finapi.InterfaceUpdatedFixed)
}

// Downloading reports whether an account's data is still on its way.
func Downloading(a finapi.Account) bool {
	return hasInterface(a, finapi.InterfaceDownloadInProgress)
}

// Failure says why an account is not loaded; "" if it is. The provider tells
// only of the connection as a whole that the user must act.
func Failure(a finapi.Account, userActionRequired bool) schemas.Failure {
	switch {
	case Loaded(a):
		return ""
	case deprecated(a):
		return schemas.FailureDeprecated
	case userActionRequired:
		return schemas.FailureUserActionRequired
	case hasInterface(a, finapi.InterfaceDownloadFailed):
		return schemas.FailureDownloadFailed
	default:
		return schemas.FailureNotDownloaded
	}
}

func hasInterface(a finapi.Account, status string) bool {
	return slices.ContainsFunc(a.Interfaces, func(i finapi.AccountInterface) bool { return i.Status == status })
}

// deprecated reports whether every interface of an account is.
func deprecated(a finapi.Account) bool {
	other := slices.ContainsFunc(a.Interfaces, func(i finapi.AccountInterface) bool { return i.Status != finapi.InterfaceDeprecated })
	return len(a.Interfaces) > 0 && !other
}
