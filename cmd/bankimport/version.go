package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "say which build this is",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.stdout, version())
			return err
		},
	}
}

// release is set by the linker where there is no version control to ask, as in
// the container image.
var release string

// version is what the build says of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "bankimport (no build information)"
	}
	var s strings.Builder
	s.WriteString("bankimport " + cmp.Or(release, info.Main.Version))
	for _, kv := range info.Settings {
		switch {
		case kv.Key == "vcs.revision":
			s.WriteString(" " + kv.Value[:min(12, len(kv.Value))])
		case kv.Key == "vcs.modified" && kv.Value == "true":
			s.WriteString(" (changed since)")
		}
	}
	return s.String() + " " + info.GoVersion
}
