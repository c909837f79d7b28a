//go:build !linux

package config

// unreadableHints is for Linux, where a package makes the service's user.
func (s *Settings) unreadableHints() []string { return nil }
