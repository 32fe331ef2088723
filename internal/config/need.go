package config

// Need says which parts a process runs, and so which settings it cannot do
// without and which secrets it reads. Needs are combined with |.
type Need uint

// The parts.
const (
	// NeedKafka is for whatever talks to the cluster.
	NeedKafka Need = 1 << iota
	// NeedService is for what runs for long: it must be told its brokers, so
	// that a forgotten setting does not become an empty cluster elsewhere.
	NeedService
	// NeedProvider is for what calls the provider.
	NeedProvider
	// NeedWebform is for what registers callback URLs.
	NeedWebform
	// NeedAccounts is for what names accounts.
	NeedAccounts
	// NeedBridge is for what takes callbacks.
	NeedBridge

	// NeedStages is for a process with every stage.
	NeedStages = NeedKafka | NeedService | NeedProvider | NeedWebform | NeedAccounts
	// NeedAll is for checking and printing everything.
	NeedAll = NeedStages | NeedBridge
)

// NeedOf returns what one part of bankimport run needs: the name of a stage, or
// "bridge". A name that is not known needs what every stage needs.
func NeedOf(part string) Need {
	switch part {
	case "bridge":
		return NeedKafka | NeedService | NeedBridge
	case "webform":
		return NeedKafka | NeedService | NeedProvider | NeedWebform
	case "accounts":
		return NeedKafka | NeedService | NeedProvider | NeedAccounts
	default:
		return NeedKafka | NeedService | NeedProvider
	}
}

// needs are the words of the use tags.
func needNamed(word string) Need {
	switch word {
	case "kafka":
		return NeedKafka
	case "service":
		return NeedService
	case "provider":
		return NeedProvider
	case "webform":
		return NeedWebform
	case "accounts":
		return NeedAccounts
	case "bridge":
		return NeedBridge
	default:
		panic("config: a use tag says " + word)
	}
}
