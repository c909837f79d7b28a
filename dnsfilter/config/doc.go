// Package config reads dnsfilter.yaml: every error with its line and column, and values as the engine takes them. It
// starts nothing; package service runs what the settings say.
package config
