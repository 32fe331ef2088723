// Package config is the whole configuration surface in one struct: every
// setting, what it means, its default and what may be in it.
//
// Settings are environment variables that begin with BANKIMPORT_. [Load] reads
// them and reports everything that is wrong at once, each problem with the name
// of its variable and what to do; a variable that is not known is a problem
// too, with the name that was probably meant. An empty variable counts as not
// set. Flags of a command go over the environment: append NAME=value to what
// Load is given, the last one counts.
//
// Secrets and PEM texts may also be given as files, by the name of the setting
// and _FILE; both at once is a problem. A process reads only the secrets of the
// parts that it runs, see [Need].
//
// The package reads the environment of nobody but whoever calls Load, and opens
// nothing but the files that are named there.
package config
