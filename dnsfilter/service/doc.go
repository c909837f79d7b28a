// Package service is the running resolver that dnsfilter.yaml describes (see package config): store, local files,
// signed lists, server, and what those who operate it use: control socket, metrics, health, hand-over to a successor.
// Anyone who builds a resolver into another program needs package dnsfilter alone, which links none of this.
//
// While a list is being compiled, the garbage collector of the process runs less often (GOGC=400) and GOMAXPROCS is
// higher by two; after the first start that compiled lists, freed memory is given back to the system. Programs that
// mind use package dnsfilter.
package service
