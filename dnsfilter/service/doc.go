// Package service runs the resolver that dnsfilter.yaml describes (see package config): store, local files, signed
// lists and server, with control socket, metrics, health checks, and hand-over to a successor process. To build a
// resolver into another program, use package dnsfilter, which needs none of this.
//
// The package changes settings of the whole process. While it compiles a list, the garbage collector runs less often
// (GOGC=400) and GOMAXPROCS is raised by two. After the lists were compiled at the first start, it returns freed memory
// to the system.
package service
