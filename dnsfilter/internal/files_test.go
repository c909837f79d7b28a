//go:build unix

package internal_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

func TestUserName(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "root", files.UserName(0))
	assert.Equal(t, "1234567", files.UserName(1234567), "who has no name")
}
