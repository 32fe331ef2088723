//go:build !failpoints

package pipeline

// step marks a boundary at which tests kill or stop the process, and weakened
// takes a protection away for tests that must then fail. Here both are nothing,
// and the compiler removes them; with the build tag failpoints testhooks_on.go
// takes their place.

func step(string) {}

func weakened(string) bool { return false }
