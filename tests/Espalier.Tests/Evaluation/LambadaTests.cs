using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Models;
using Espalier.Tests.Data;
using Espalier.Torch;

namespace Espalier.Tests.Evaluation;

public sealed class LambadaTests : IDisposable
{
    private static readonly Gpt2Config Model = Sample.Model(2) with { VocabularySize = ByteLevelBpe.RawBytes.VocabularySize };

    private readonly TemporaryFolder _folder = new();
    private readonly ParameterSet _parameters = Sample.Parameters(Model);

    public void Dispose()
    {
        _parameters.Dispose();
        _folder.Dispose();
    }

    /// <summary>Whatever the batches: the probability of each passage's word, computed one passage and one token at a time.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    public void EachWordIsPredictedFromAllBeforeIt(int batchTokens)
    {
        string[] passages = ["a b", "the end", "one two a", "this is longer than the context", "x y zz"];
        string path = _folder.Write("passages.txt", string.Join("\n", passages) + " \n\n");
        LambadaResult result = Measure(path, batchTokens);

        double loss = passages.Sum(passage => -LogProbability(passage));
        Assert.Equal(5, result.Passages);
        Assert.Equal(1, result.Cut);
        Assert.Equal(loss / 5, result.Loss, 4);
        Assert.Equal(Math.Exp(loss / 5), result.Perplexity, 1e-3 * Math.Exp(loss / 5));
        Assert.Equal(2 + 4 + 2 + 8 + 3, result.Tokens);
    }

    [Fact]
    public void WhatTheModelWritesItselfIsRight()
    {
        // Lets the model go on after a space, and takes what it wrote for the last word.
        string[] prompts = ["abc", "Der", "x y", "qu"];
        string[] right = [.. prompts.Select(prompt => GoOn(prompt + " "))];
        string text = _folder.Write("right.jsonl", string.Concat(right.Select(passage => $"{{\"text\": \"{passage}\"}}\n")));
        LambadaResult result = Measure(text, 1000);

        // The space belongs to the word, and the model need not have written it.
        double expected = prompts.Count(prompt => Best(prompt) == ' ') / 4.0;
        Assert.Equal(expected, result.Accuracy);
        string wrong = _folder.Write("wrong.jsonl", string.Concat(right.Select(passage => $"{{\"text\": \"{passage[..^1]}~\"}}\n")));
        Assert.Equal(0, Measure(wrong, 1000).Accuracy);
    }

    [Fact]
    public void AWordWithoutAPassageIsNamed() => Assert.Contains(
        "one.txt:2: the passage is a single word",
        Assert.Throws<UserErrorException>(
            () => Lambada.Open(_folder.Write("one.txt", "two words\nword\n"), ByteLevelBpe.RawBytes)).Message,
        StringComparison.Ordinal);

    private LambadaResult Measure(string path, int batchTokens) => Lambada.Open(path, ByteLevelBpe.RawBytes).Measure(
        Model, _parameters, ForwardPlan.Plain(2), batchTokens, Device.Cpu, mixedPrecision: false);

    private double LogProbability(string passage)
    {
        double sum = 0;
        for (int end = passage.LastIndexOf(' '); end < passage.Length; end++)
        {
            // The context of the whole passage's window, which is cut at the left.
            int start = Math.Max(0, passage.Length - 1 - Model.ContextLength);
            sum += Next(passage[start..end])[ByteLevelBpe.RawBytes.Encode(passage)[end]];
        }

        return sum;
    }

    private string GoOn(string prompt)
    {
        char next = Best(prompt);
        return prompt + (next > ' ' && next < 127 && next is not ('"' or '\\') ? next : 'a');
    }

    private char Best(string context)
    {
        double[] scores = Next(context);
        return (char)ByteLevelBpe.RawBytes.DecodeToBytes([Array.IndexOf(scores, scores.Max())]).FirstOrDefault();
    }

    private double[] Next(string context)
    {
        using var noGrad = new NoGrad();
        long[] ids = [.. ByteLevelBpe.RawBytes.Encode(context).Select(id => (long)id)];
        Tensor scores = new Gpt2().Logits(Model, _parameters, Tensor.From<long>(ids, [1, ids.Length]), ForwardPlan.Plain(2)).LogSoftmax();
        return Near.Values(scores.Narrow(1, ids.Length - 1, 1));
    }
}
