package fetch

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func FuzzEvent(f *testing.F) {
	const list = "it.example/test"
	f.Add([]byte(`data: {"list":"it.example/test","serial":42}`))
	f.Add([]byte(`data:{"serial":-1,"list":"it.example/test"}`))
	f.Add([]byte(`: data: {"list":"it.example/test","serial":42}`))
	f.Add([]byte(`data: {"list":"it.example/test","serial":42,"urgent":3}`))
	f.Add([]byte(`event: release`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, ok := parseEvent(line, list)
		if ok {
			assert.Positive(t, e.Serial)
			_, other := parseEvent(line, "it.example/other")
			assert.False(t, other)
		}
	})
}
