namespace Espalier.Data;

/// <summary>Byte strings with values, asked for the longest of them that a text begins with.</summary>
/// <remarks>Nodes are numbers; one hash table holds all steps, (node, byte) to node.</remarks>
internal sealed class ByteTrie
{
    private const int None = -1;

    private readonly List<int> _values = [None];
    private long[] _steps = NewTable(1 << 10);
    private int[] _targets = new int[1 << 10];

    /// <summary>Adds a string; adding it again replaces its value.</summary>
    /// <param name="key">The string.</param>
    /// <param name="value">0 or more.</param>
    public void Add(ReadOnlySpan<byte> key, int value)
    {
        int node = 0;
        foreach (byte b in key)
        {
            int next = Step(node, b);
            if (next == None)
            {
                next = _values.Count;
                _values.Add(None);
                if (2 * _values.Count > _steps.Length)
                {
                    Grow();
                }

                int slot = Slot(Key(node, b));
                (_steps[slot], _targets[slot]) = (Key(node, b), next);
            }

            node = next;
        }

        _values[node] = value;
    }

    /// <summary>The length of the longest string, not empty, that <paramref name="text"/> begins with; 0 if none.</summary>
    public int LongestPrefix(ReadOnlySpan<byte> text, out int value)
    {
        int node = 0, length = 0;
        value = None;
        for (int i = 0; i < text.Length; i++)
        {
            node = Step(node, text[i]);
            if (node == None)
            {
                break;
            }

            if (_values[node] != None)
            {
                (length, value) = (i + 1, _values[node]);
            }
        }

        return length;
    }

    private int Step(int node, byte b)
    {
        int slot = Slot(Key(node, b));
        return _steps[slot] == None ? None : _targets[slot];
    }

    /// <summary>Where a step is, or would be.</summary>
    private int Slot(long key)
    {
        int mask = _steps.Length - 1;
        int slot = (int)((ulong)(key * unchecked((long)0x9E3779B97F4A7C15)) >> 32) & mask;
        while (_steps[slot] != key && _steps[slot] != None)
        {
            slot = (slot + 1) & mask;
        }

        return slot;
    }

    private void Grow()
    {
        (long[] steps, int[] targets) = (_steps, _targets);
        (_steps, _targets) = (NewTable(2 * steps.Length), new int[2 * steps.Length]);
        for (int i = 0; i < steps.Length; i++)
        {
            if (steps[i] != None)
            {
                int slot = Slot(steps[i]);
                (_steps[slot], _targets[slot]) = (steps[i], targets[i]);
            }
        }
    }

    private static long Key(int node, byte b) => ((long)node << 8) | b;

    private static long[] NewTable(int size)
    {
        var table = new long[size];
        Array.Fill(table, None);
        return table;
    }
}
