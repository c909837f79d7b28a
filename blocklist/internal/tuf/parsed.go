package tuf

import (
	"bytes"
	"crypto/sha256"
	"runtime"
	"sync"
	"weak"
)

// parsed caches the parsed documents of one role, by the SHA-256 of their bytes, as long as the program references
// them. A command reads the same roots and releases several times, and most of the cost is parsing.
type parsed[T any] struct{ documents sync.Map } // by SHA-256: weak.Pointer[T]

// get returns the cached document with these bytes. If there is none, it calls parse with a copy of the bytes, and
// caches the result. Errors are not cached.
func (p *parsed[T]) get(b []byte, parse func([]byte) (*T, error)) (*T, error) {
	sum := sha256.Sum256(b)
	if known, ok := p.documents.Load(sum); ok {
		if d := known.(weak.Pointer[T]).Value(); d != nil {
			return d, nil
		}
	}
	d, err := parse(bytes.Clone(b))
	if err != nil {
		return d, err
	}
	pointer := weak.Make(d)
	p.documents.Store(sum, pointer)
	runtime.AddCleanup(d, func(sum [sha256.Size]byte) { p.documents.CompareAndDelete(sum, pointer) }, sum)
	return d, nil
}
