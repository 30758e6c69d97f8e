using System.Runtime.InteropServices;
using System.Text;

namespace Espalier.Data;

/// <summary>Some words in UTF-8, one after the other in one buffer.</summary>
internal sealed class WordList
{
    private readonly List<byte> _bytes = [];
    private readonly List<int> _ends = [];

    /// <summary>The number of words.</summary>
    public int Count => _ends.Count;

    /// <summary>A word; valid until the list changes.</summary>
    public ReadOnlySpan<byte> this[int index] =>
        CollectionsMarshal.AsSpan(_bytes)[(index == 0 ? 0 : _ends[index - 1]).._ends[index]];

    /// <summary>Forgets the words.</summary>
    public void Clear()
    {
        _bytes.Clear();
        _ends.Clear();
    }

    /// <summary>Lengthens the word that is not at its end yet.</summary>
    public void Append(Rune rune)
    {
        int start = _bytes.Count;
        CollectionsMarshal.SetCount(_bytes, start + rune.Utf8SequenceLength);
        rune.EncodeToUtf8(CollectionsMarshal.AsSpan(_bytes)[start..]);
    }

    /// <summary>Ends a word, unless it would be empty.</summary>
    public void EndWord()
    {
        if (_bytes.Count > (_ends.Count == 0 ? 0 : _ends[^1]))
        {
            _ends.Add(_bytes.Count);
        }
    }
}
