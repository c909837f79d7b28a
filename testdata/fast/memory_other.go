//go:build !linux

package fast

// memory returns no folder: the system is not known to have one.
func memory() string { return "" }
