//go:build unix

package config

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// sharedFolder returns an error if users other than the owner can write to a folder.
func sharedFolder(path string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o022 == 0 {
		return nil
	}
	return fmt.Errorf("the state folder %s has mode %04o: %w: others could change what is enforced; run chmod go-w %q, or name a folder in it with the key state",
		path, info.Mode().Perm(), blocklist.ErrUntrusted, path)
}

// foreignFolder returns an error if the owner of a folder is neither this user nor root.
func foreignFolder(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 || int(st.Uid) == os.Geteuid() {
		return nil
	}
	return fmt.Errorf("the state folder %s belongs to user %s: %w: run this as that user (the service of systemd: systemctl restart dnsfilter), or name another folder with the key state",
		path, files.UserName(int(st.Uid)), blocklist.ErrUntrusted)
}
