package finapi

import "github.com/bankimport/bankimport/internal/secret"

// Secret is a text that must not be printed; only its Reveal gives it.
type Secret = secret.Text
