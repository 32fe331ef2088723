package main

import (
	"slices"
	"strings"

	"github.com/bankimport/bankimport/internal/config"
	"github.com/bankimport/bankimport/stages/accounts"
	"github.com/bankimport/bankimport/stages/connection"
	"github.com/bankimport/bankimport/stages/transactions"
	"github.com/bankimport/bankimport/stages/webform"
)

const partBridge = "bridge"

// stageNames are the stages in the order data flows.
func stageNames() []string {
	return []string{webform.Name, connection.Name, accounts.Name, transactions.Name}
}

// parts are all that "bankimport run" can run.
func parts() []string { return append(stageNames(), partBridge) }

// needOf returns what a process with these parts needs of the configuration.
func needOf(names []string) (config.Need, error) {
	var need config.Need
	for _, n := range names {
		if !slices.Contains(parts(), n) {
			return 0, usagef("%q is no stage: want one or more of %s", n, strings.Join(parts(), ", "))
		}
		need |= config.NeedOf(n)
	}
	return need, nil
}
