package bankdata

// vocabulary is what rows are made of. It is built once per Generator and only
// read afterwards.
type vocabulary struct {
	templates  []template
	bookings   []booking
	categories []Category

	main, household, savings, card draw
}

// draw is a set of templates by weight: each stands in it as often as it weighs.
type draw []uint8

func newVocabulary() *vocabulary {
	v := &vocabulary{templates: regulars(), bookings: bookings(), categories: categories()}
	everyday := v.add(everyday())
	v.household = everyday
	v.main = append(append(draw{}, everyday...), v.add(freelance())...)
	v.savings = v.add(saving())
	v.card = v.add(card())
	return v
}

func (v *vocabulary) add(list []template) draw {
	var d draw
	for _, t := range list {
		for range t.weight {
			d = append(d, uint8(len(v.templates)))
		}
		v.templates = append(v.templates, t)
	}
	return d
}

// drawFor is what chance draws from for accounts of a type.
func (v *vocabulary) drawFor(accountType string) draw {
	switch accountType {
	case Savings:
		return v.savings
	case CreditCard:
		return v.card
	default:
		return v.main
	}
}

// amount is one of the amounts that a template allows.
func (t template) amount(c *chance) Cents {
	a := t.from + Cents(c.below(int(t.to-t.from)+1))
	if t.booking == cash {
		a -= a % 1000 // machines give notes
	}
	return a
}
