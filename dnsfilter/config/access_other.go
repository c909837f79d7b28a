//go:build !linux

package config

// unreadableHints returns nil: only on Linux does a package create a user for the service.
func (s *Settings) unreadableHints() []string { return nil }

// CheckAccess returns nil: only on Linux does a package create a user for the service.
func (s *Settings) CheckAccess() error { return nil }
