package localkafka

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kfake"
)

// logAdapter hands the broker's log on. What the broker calls information is
// said for every request, so it is debug here.
type logAdapter struct{ log *slog.Logger }

func (a logAdapter) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	}
	if a.log.Enabled(context.Background(), to) {
		a.log.Log(context.Background(), to, "embedded kafka", "says", fmt.Sprintf(format, args...))
	}
}
