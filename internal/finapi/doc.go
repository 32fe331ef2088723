// Package finapi is the client of the provider, finAPI.
package finapi
