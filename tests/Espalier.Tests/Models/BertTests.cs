using Espalier.Models;

namespace Espalier.Tests.Models;

public class BertTests
{
    /// <summary>Every axis of every parameter, by name: as many units as there are of another kind are still not those.</summary>
    [Fact]
    public void AxesSayWhatAParameterReadsAndWrites()
    {
        const string Layer = "bert.encoder.layer.0.";
        string[] expected =
        [
            "bert.embeddings.word_embeddings.weight: Vocabulary 31, Hidden 16 Output",
            "bert.embeddings.position_embeddings.weight: Position 12, Hidden 16 Output",
            "bert.embeddings.token_type_embeddings.weight: Type 2, Hidden 16 Output",
            .. Norm("bert.embeddings.LayerNorm"),
            .. Linear(Layer + "attention.self.query", "Heads 2 x 8 Output", "Hidden 16 Input"),
            .. Linear(Layer + "attention.self.key", "Heads 2 x 8 Output", "Hidden 16 Input"),
            .. Linear(Layer + "attention.self.value", "Heads 2 x 8 Output", "Hidden 16 Input"),
            .. Linear(Layer + "attention.output.dense", "Hidden 16 Output", "Heads 2 x 8 Input"),
            .. Norm(Layer + "attention.output.LayerNorm"),
            .. Linear(Layer + "intermediate.dense", "Ffn 24 Output", "Hidden 16 Input"),
            .. Linear(Layer + "output.dense", "Hidden 16 Output", "Ffn 24 Input"),
            .. Norm(Layer + "output.LayerNorm"),
            .. Linear("cls.predictions.transform.dense", "Hidden 16 Output", "Hidden 16 Input"),
            .. Norm("cls.predictions.transform.LayerNorm"),
            "cls.predictions.bias: Vocabulary 31 Output",
            "cls.predictions.decoder.weight: Vocabulary 31 Output, Hidden 16 Input",
        ];
        BertConfig model = Sample.Bert(1) with { FfnSize = 24, TiedHead = false };
        Assert.Equal(expected, new Bert().Parameters(model).Select(AxesInWords.Of));

        static string[] Linear(string name, string output, string input) =>
            [$"{name}.weight: {output}, {input}", $"{name}.bias: {output}"];

        static string[] Norm(string name) => [$"{name}.weight: Hidden 16", $"{name}.bias: Hidden 16"];
    }
}
