package sandbox

import (
	"context"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Rollback restores the files of the work dir and the home from a snapshot. It first ends every
// command, job and interpreter, and empties both directories and /tmp, except for other mounts
// in them. If it fails after that, files are missing. Do not use the sandbox meanwhile: files
// that are written then may stay or be replaced. A sandbox with a WritableRoot is
// CodeUnsupported.
func (sb *Sandbox) Rollback(ctx context.Context, name string) error {
	return sb.failure("rollback", name, sb.rollback(ctx, name))
}

func (sb *Sandbox) rollback(ctx context.Context, name string) error {
	_, writable, err := sb.baseImage(ctx)
	if err != nil {
		return err
	}
	if writable {
		return errWritable
	}
	s, err := findSnapshot(ctx, sb.config.Engine, name)
	if err != nil {
		return err
	}
	// Two rollbacks at once would mix the files of two snapshots.
	unlock, err := exclusive.Lock(ctx, sb.spec.Name)
	if err != nil {
		return err
	}
	defer unlock()
	from, err := s.carrier(ctx, sb.config)
	if err != nil {
		return err
	}
	defer from.Close()
	m := &wire.Reset{}
	for _, dir := range append(sb.savedDirs(), "/tmp") {
		m.Dirs = append(m.Dirs, []byte(dir))
	}
	for _, ch := range sb.userChannels() {
		if err := ch.Do(ctx, wire.OpReset, &wire.Reset{}, nil); err != nil {
			return err
		}
	}
	if err := sb.do(ctx, wire.OpReset, m, nil); err != nil {
		return err
	}
	return sb.restoreCarried(ctx, from, sb.savedDirs())
}
