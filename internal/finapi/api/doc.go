// Package api holds the provider's wire types: what finAPI's Access v2 and Web
// Form 2.0 send and take, trimmed to the operations that bankimport uses. The
// types are generated from finapi.yaml; the client and the simulator both use
// them, so they cannot drift apart.
//
// Texts, amounts, times and lists that the provider leaves out or sends as null
// are zero values here. A required flag or number whose zero value means
// something is a pointer, so that a reader can tell when it is missing.
//
// The package has no behaviour and checks nothing beyond the spelling of single
// values. It is not the provider's official document: finapi.yaml was written
// for this project.
package api

//go:generate go tool -modfile=../../tools/go.mod oapi-codegen -config codegen.yaml finapi.yaml
