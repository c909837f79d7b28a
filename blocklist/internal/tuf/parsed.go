package tuf

import (
	"bytes"
	"crypto/sha256"
	"runtime"
	"sync"
	"weak"
)

// parsed remembers documents of one role by their bytes as long as they are in use: a command reads the same roots and
// releases several times, and parsing is most of what that costs.
type parsed[T any] struct{ documents sync.Map } // by SHA-256: weak.Pointer[T]

// get returns the document of some bytes: the one that is in use, or what parse returns for a copy of them. Errors are
// not remembered.
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
