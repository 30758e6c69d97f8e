namespace Espalier.Data;

/// <summary>
/// Walks over a record in Thrift's compact form, as the end of a parquet file is one, and sees that it ends within its bytes. The
/// reader of parquet files does not look: of a damaged record it reads on for hours.
/// </summary>
/// <param name="bytes">The record.</param>
internal ref struct ThriftWalk(ReadOnlySpan<byte> bytes)
{
    // Deeper than any parquet file's, and shallow enough for the stack.
    private const int MaximumDepth = 64;

    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>Goes over the whole record.</summary>
    /// <exception cref="InvalidDataException">It does not end within its bytes, or is none.</exception>
    public void Walk() => Struct(0);

    private void Struct(int depth)
    {
        while (Next() is var field && field != 0)
        {
            // The number of a field is the distance to the one before, or stands after it.
            if (field >> 4 == 0)
            {
                Number();
            }

            // A field that is true or false is its own value.
            if ((field & 15) is not (1 or 2))
            {
                Value(field & 15, depth + 1);
            }
        }
    }

    // Each value has one byte at least, so that a count which is damaged ends the walk.
    private void Value(int type, int depth)
    {
        switch (depth > MaximumDepth ? -1 : type)
        {
            case 1 or 2 or 3:
                Skip(1);
                break;
            case 4 or 5 or 6:
                Number();
                break;
            case 7:
                Skip(8);
                break;
            case 8:
                Skip(Number());
                break;
            case 9 or 10:
                int list = Next();
                ulong items = list >> 4 == 15 ? Number() : (ulong)list >> 4;
                for (ulong i = 0; i < items; i++)
                {
                    Value(list & 15, depth + 1);
                }

                break;
            case 11:
                ulong pairs = Number();
                int types = pairs == 0 ? 0 : Next();
                for (ulong i = 0; i < pairs; i++)
                {
                    Value(types >> 4, depth + 1);
                    Value(types & 15, depth + 1);
                }

                break;
            case 12:
                Struct(depth);
                break;
            default:
                throw Damaged();
        }
    }

    private ulong Number()
    {
        ulong number = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            int next = Next();
            number |= (ulong)(next & 127) << shift;
            if (next < 128)
            {
                return number;
            }
        }

        throw Damaged();
    }

    private int Next()
    {
        byte next = _rest.Length > 0 ? _rest[0] : throw Damaged();
        _rest = _rest[1..];
        return next;
    }

    private void Skip(ulong count) => _rest = count <= (ulong)_rest.Length
        ? _rest[(int)count..]
        : throw Damaged();

    private static InvalidDataException Damaged() => new("its footer is damaged");
}
