// Package man writes manual pages from the tree of a program's commands.
package man

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// Command returns the command "man DIR", which writes the manual pages of a program into the folder DIR.
func Command(program string) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of all commands into a folder",
		Long: fmt.Sprintf(`Write the manual pages of all commands into a folder, one file for each: %[1]s.1, %[1]s-man.1, and so on. man reads
them from /usr/local/share/man/man1.`, program),
		Example: "  " + program + " man /usr/local/share/man/man1",
		Args:    unknown.Args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			header := &doc.GenManHeader{Section: "1", Source: "Argine " + buildinfo.Current().Version, Manual: "Argine"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("writing manual pages: %w", err)
			}
			return nil
		},
	}
}
