using System.Diagnostics;
using System.Text.Json;
using Espalier.Data;

namespace Espalier.Bench.Tokenizers;

/// <summary>Espalier's side, in this process.</summary>
internal sealed class EspalierSide(string tokenizerFile, int threads) : ISide
{
    private Tokenizer _tokenizer = Tokenizer.Load(tokenizerFile);
    private string[] _texts = [];

    public void Load(string textFile) => _texts = JsonSerializer.Deserialize<string[]>(File.ReadAllBytes(textFile))!;

    public void Forget() => _tokenizer = Tokenizer.Load(tokenizerFile);

    public double Run()
    {
        var ids = new int[_texts.Length][];
        GC.Collect();
        var watch = Stopwatch.StartNew();
        if (threads == 1)
        {
            for (int i = 0; i < ids.Length; i++)
            {
                ids[i] = _tokenizer.Encode(_texts[i]);
            }
        }
        else
        {
            Parallel.For(0, ids.Length, new ParallelOptions { MaxDegreeOfParallelism = threads }, i => ids[i] = _tokenizer.Encode(_texts[i]));
        }

        return watch.Elapsed.TotalSeconds;
    }

    public IdSum Ids()
    {
        var sum = default(IdSum);
        foreach (int id in _texts.SelectMany(text => _tokenizer.Encode(text)))
        {
            sum = sum.With(id);
        }

        return sum;
    }

    public void Dispose()
    {
    }
}
