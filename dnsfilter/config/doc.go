// Package config parses dnsfilter.yaml into values for the engine. Every error has a line and a column. The package
// starts nothing; package service runs the settings.
package config
