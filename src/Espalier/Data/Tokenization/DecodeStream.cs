using System.Text;

namespace Espalier.Data;

/// <summary>
/// The text of ids as they come, one at a time. Where a token's text depends on its neighbours, or a character takes several
/// tokens, what is not certain yet is held back.
/// </summary>
/// <param name="tokenizer">The tokenizer.</param>
/// <param name="context">The ids before, whose text is not given again.</param>
public sealed class DecodeStream(Tokenizer tokenizer, IEnumerable<int> context)
{
    private const char Incomplete = '\uFFFD';
    private const int ContextNeeded = 16;

    private readonly List<int> _ids = [.. context.TakeLast(ContextNeeded)];
    private string? _given;
    private int _givenIds;

    /// <summary>The bytes that an id adds; they need not end at the end of a character.</summary>
    /// <exception cref="UserErrorException">The id is outside the vocabulary.</exception>
    public byte[] Next(int id)
    {
        if (tokenizer.DecodesEachAlone)
        {
            return tokenizer.DecodeToBytes([id]);
        }

        if (_given is null)
        {
            _given = tokenizer.Decode([.. _ids]);
            _givenIds = _ids.Count;
        }

        _ids.Add(id);
        string text = tokenizer.Decode([.. _ids]);
        return text.EndsWith(Incomplete) ? [] : Give(text);
    }

    /// <summary>What is held back yet.</summary>
    public byte[] Rest() => _given is null ? [] : Give(tokenizer.Decode([.. _ids]));

    /// <summary>Gives what is new, and keeps the ids that it came from: what follows may depend on them.</summary>
    private byte[] Give(string text)
    {
        if (!text.StartsWith(_given!, StringComparison.Ordinal) || text.Length == _given!.Length)
        {
            return [];
        }

        byte[] added = Encoding.UTF8.GetBytes(text[_given.Length..]);
        _ids.RemoveRange(0, _givenIds);
        _given = tokenizer.Decode([.. _ids]);
        _givenIds = _ids.Count;
        return added;
    }
}
