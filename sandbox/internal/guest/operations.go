//go:build linux

package guest

import (
	"encoding/json"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// operation answers one kind of call. last is the final bytes of the call's stream, which
// travel with the reply; nil leaves the stream as it is.
type operation func(c *call, args []byte) (last []byte, v any, err error)

// operations has what a host can ask for.
var operations = map[wire.Op]operation{
	wire.OpExec:      replies((*call).exec),
	wire.OpJobStart:  replies((*call).jobStart),
	wire.OpJobs:      sends((*call).jobList),
	wire.OpJobRead:   replies((*call).jobRead),
	wire.OpJobWait:   replies((*call).jobWait),
	wire.OpJobSignal: replies((*call).jobSignal),
	wire.OpJobStop:   replies((*call).jobStop),

	wire.OpRead:      sends((*call).read),
	wire.OpReadLines: sends((*call).readLines),
	wire.OpWrite:     replies((*call).write),
	wire.OpEdit:      replies((*call).edit),
	wire.OpMultiEdit: replies((*call).multiEdit),
	wire.OpHash:      replies((*call).hash),
	wire.OpStat:      replies((*call).stat),
	wire.OpReadDir:   sends((*call).readDir),
	wire.OpRealPath:  replies((*call).realPath),
	wire.OpMkdir:     replies((*call).mkdir),
	wire.OpRemove:    replies((*call).remove),
	wire.OpRename:    replies((*call).rename),
	wire.OpChmod:     replies((*call).chmod),
	wire.OpChtimes:   replies((*call).chtimes),
	wire.OpSymlink:   replies((*call).symlink),
	wire.OpReadlink:  replies((*call).readlink),
	wire.OpWalk:      sends((*call).walk),
	wire.OpUsage:     replies((*call).usage),
	wire.OpWatch:     replies((*call).watch),

	wire.OpGlob:  sends((*call).glob),
	wire.OpGrep:  sends((*call).grep),
	wire.OpStats: replies((*call).stats),
	wire.OpReset: replies((*call).reset),

	wire.OpPack:   replies((*call).pack),
	wire.OpUnpack: replies((*call).unpack),

	wire.OpDial: replies((*call).dial),
}

// replies makes an operation of a method that returns no bytes with its reply.
func replies[A any](do func(*call, *A) (any, error)) operation {
	return sends(func(c *call, a *A) (last []byte, v any, err error) {
		v, err = do(c, a)
		return nil, v, err
	})
}

// sends makes an operation of a method whose arguments are an A.
func sends[A any](do func(*call, *A) (last []byte, v any, err error)) operation {
	return func(c *call, args []byte) (last []byte, v any, err error) {
		a := new(A)
		if err := json.Unmarshal(args, a); err != nil {
			return nil, nil, wire.Invalid("%v", err)
		}
		return do(c, a)
	}
}

// do carries an operation out.
func (c *call) do(op wire.Op, args []byte) (last []byte, v any, err error) {
	do := operations[op]
	if do == nil {
		return nil, nil, wire.Errorf(wire.CodeUnsupported, "the guest of this image is older than the host: build the image again")
	}
	return do(c, args)
}
