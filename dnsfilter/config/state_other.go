//go:build !unix

package config

import "io/fs"

// Where there are no owners and modes, the folder is as safe as the system makes it.
func sharedFolder(string, fs.FileInfo) error  { return nil }
func foreignFolder(string, fs.FileInfo) error { return nil }
