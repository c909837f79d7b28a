// Package batch reads and writes UDP datagrams, many with one system call where the system can do so.
//
// Nothing in it allocates once a [Reader] or [Writer] is made. Each belongs to one goroutine; several of them may share a
// socket.
package batch

// Size is how many datagrams are moved at once at most.
const Size = 64
