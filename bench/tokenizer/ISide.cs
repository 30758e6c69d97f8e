namespace Espalier.Bench.Tokenizers;

/// <summary>One of the two programs that encode the same texts with the same tokenizer.json.</summary>
internal interface ISide : IDisposable
{
    /// <summary>Reads texts, a JSON array of strings, into memory.</summary>
    void Load(string textFile);

    /// <summary>Loads the tokenizer anew, so that it remembers no word.</summary>
    void Forget();

    /// <summary>Encodes all texts once, each by itself, and says how many seconds that took.</summary>
    double Run();

    /// <summary>Encodes all texts once more and sums up their ids.</summary>
    IdSum Ids();
}

/// <summary>How many ids there are, and a hash of them in order.</summary>
internal readonly record struct IdSum(long Tokens, uint Hash)
{
    public IdSum With(int id) => new(Tokens + 1, (Hash ^ (uint)id) * 16777619);
}
