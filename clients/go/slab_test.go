package polarway

import (
	"testing"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

func TestTheBuffersOfASlabAreAlignedAndApartAndOthersFollowIt(t *testing.T) {
	slab := newSlab(memory.NewGoAllocator(), 1_000)
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(slab.rest)))
	var buffers [][]byte
	for index, test := range []struct {
		size     int
		isInSlab bool
	}{{1, true}, {64, true}, {700, true}, {200, false}, {0, true}, {128, true}, {1, false}, {5_000, false}} {
		buffer := slab.Allocate(test.size)
		// Of no bytes there may be no address.
		place := uintptr(unsafe.Pointer(unsafe.SliceData(buffer)))
		if len(buffer) != test.size || test.size > 0 && (place%64 != 0 || (place-begin < 1_000) != test.isInSlab) {
			t.Errorf("buffer %d has %d bytes at %d", index, len(buffer), place)
		}
		for place := range buffer[:cap(buffer)] {
			buffer[:cap(buffer)][place] = byte(index)
		}
		buffers = append(buffers, buffer)
	}
	for index, buffer := range buffers {
		for _, one := range buffer {
			if one != byte(index) {
				t.Fatalf("buffer %d has bytes of buffer %d", index, one)
			}
		}
		grown := slab.Reallocate(2*len(buffer)+1, buffer)
		for _, one := range grown[:len(buffer)] {
			if one != byte(index) {
				t.Fatalf("buffer %d has lost its bytes", index)
			}
		}
	}
}
