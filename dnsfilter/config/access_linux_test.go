package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/config"
)

// TestUnreadable: root is told what the service's user can't read, by the owner, the group and the folders of a file.
func TestUnreadable(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root alone can take the rights of others")
	}
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // others have to get into it
	require.NoError(t, os.Chmod(dir, 0o755))
	write := func(name, text string, group int, mode os.FileMode) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
		require.NoError(t, os.Chown(path, 0, group))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "state"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "private"), 0o700))
	write("dnsfilter.yaml", "state: state\nallow: [all, group, root, private/all, none]\nquery_log: {file: logs/queries.log}\n", 0, 0o644)
	write("all", "a.test\n", 0, 0o644)
	write("group", "a.test\n", 23456, 0o640)
	write("root", "a.test\n", 0, 0o640)
	write("private/all", "a.test\n", 0, 0o644)
	s, err := config.Read(filepath.Join(dir, "dnsfilter.yaml"))
	require.NoError(t, err)
	logs := "nothing can be written to " + dir + "/logs/queries.log: its folder is missing (the packaged service makes /var/log/dnsfilter when it starts)"
	tcp := len(s.Hints()) - 1
	assert.Equal(t, []string{logs}, s.Hints()[tcp:], "the service is root's")
	require.NoError(t, s.CheckAccess())

	require.NoError(t, os.Chown(filepath.Join(dir, "state"), 12345, 23456))
	why := " can't be read by user 12345, which dnsfilter runs as: chgrp 12345 and chmod 640 for a key, chmod 644 for all else"
	assert.Equal(t, []string{logs}, s.Hints()[tcp:])
	require.EqualError(t, s.CheckAccess(), dir+"/root"+why+"\n"+dir+"/private/all"+why)
	file, err := os.Open(filepath.Join(dir, "root"))
	require.NoError(t, err, "this process still is root's")
	require.NoError(t, file.Close())
}
