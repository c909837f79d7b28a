// Package internal_test has the tests of the small packages below. It is one package, since each costs every run of the
// tests a linked program.
package internal_test
