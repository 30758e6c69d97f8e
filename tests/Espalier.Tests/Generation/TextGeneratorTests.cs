using System.Text;
using Espalier.Generation;
using Espalier.Models;
using Espalier.Tests.Growth;
using Espalier.Torch;

namespace Espalier.Tests.Generation;

public class TextGeneratorTests
{
    private static readonly ModelConfig Config = Sample.Model(2);

    public static TheoryData<string> Kinds => ["gpt2", "llama", "qwen3", "shared layers", "bert"];

    /// <summary>What a plain pass over the last tokens of the context finds likeliest, within the context and beyond it.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void GreedyTakesTheLargestLogitAndSlidesOverALongText(string kind)
    {
        ModelConfig config = kind switch
        {
            "llama" => GrowthSample.Llama(2),
            "qwen3" => new Qwen3Config
            {
                Layers = 2, HiddenSize = 16, Heads = 4, KeyValueHeads = 2, HeadDim = 6, ContextLength = 12, VocabularySize = 31,
            },
            "bert" => Sample.Bert(2),
            _ => Config,
        };
        ForwardPlan plan = kind == "shared layers" ? ForwardPlan.Of([0, 1, 0, 1, 1]) : ForwardPlan.Plain(2);
        using Model model = Sample.ModelOf(config);
        var generator = new TextGenerator(model, plan, Compute.Cpu);
        int[] generated = [.. generator.Continue([3, 1, 4], new TokenSampler(0), seed: 1).Take(2 * config.ContextLength)];

        List<int> text = [3, 1, 4];
        using var noGrad = new NoGrad();
        foreach (int token in generated)
        {
            long[] context = [.. text.TakeLast(config.ContextLength).Select(id => (long)id)];
            Tensor logits = ForwardPass.Logits(model, Tensor.From<long>(context, [1, context.Length]), plan);
            Assert.Equal(logits.ArgMax().ToArray<long>()[^1], token);
            text.Add(token);
        }

        Assert.True(generated.Distinct().Count() > 1);
    }

    [Fact]
    public void OfALongPromptTheEndCounts()
    {
        using Model model = Sample.ModelOf(Config);
        var generator = new TextGenerator(model, ForwardPlan.Plain(2), Compute.Cpu);
        int[] prompt = [.. Enumerable.Range(0, 20)];
        Assert.Equal(Continue(prompt[^Config.ContextLength..]), Continue(prompt));

        int[] Continue(int[] from) => [.. generator.Continue(from, new TokenSampler(0), seed: 1).Take(8)];
    }

    [Fact]
    public void TheSeedDecides()
    {
        using Model model = Sample.ModelOf(Config);
        var generator = new TextGenerator(model, ForwardPlan.Plain(2), Compute.Cpu);
        int[] first = Draw(1);
        Assert.Equal(first, Draw(1));
        Assert.NotEqual(first, Draw(2));

        int[] Draw(ulong seed) => [.. generator.Continue([7], new TokenSampler(), seed).Take(30)];
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("é ö 漢字 🌳!")]
    public void CharactersThatArriveInPiecesComeOutWhole(string text)
    {
        var output = new StringWriter();
        var pieces = new Utf8Pieces(output);
        foreach (byte one in Encoding.UTF8.GetBytes(text))
        {
            pieces.Write([one]);
            Assert.StartsWith(output.ToString(), text, StringComparison.Ordinal);
            Assert.DoesNotContain('\uFFFD', output.ToString());
        }

        pieces.Complete();
        Assert.Equal(text, output.ToString());
    }

    [Fact]
    public void WhatIsNoCharacterIsReplaced()
    {
        byte[] broken = [(byte)'a', 0xFF, (byte)'b', 0xE6, (byte)'c', 0xE6, 0xBC];
        var output = new StringWriter();
        var pieces = new Utf8Pieces(output);
        foreach (byte one in broken)
        {
            pieces.Write([one]);
        }

        pieces.Complete();
        Assert.Equal(Encoding.UTF8.GetString(broken), output.ToString());
    }
}
