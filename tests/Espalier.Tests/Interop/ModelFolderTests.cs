using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Tests.Data;
using Espalier.Torch;

namespace Espalier.Tests.Interop;

/// <summary>Folders as others write them: the same weights under other names, in other types, in other files.</summary>
public sealed class ModelFolderTests : IDisposable
{
    private const string Embedding = "transformer.wte.weight";

    private readonly Gpt2Config _model = Sample.Model(2);
    private readonly ParameterSet _parameters;
    private readonly HuggingFaceFolder _stored;
    private readonly TemporaryFolder _folder = new();

    public ModelFolderTests()
    {
        _parameters = Sample.Parameters(_model);
        _stored = HuggingFaceFolder.Of(_model, _parameters);
    }

    public void Dispose()
    {
        _parameters.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void TodaysNames() => IsTheModel(_stored.Write(_folder));

    [Fact]
    public void NamesWithoutPrefixAndStoredMasks()
    {
        _stored.Rename(name => name["transformer.".Length..]);
        for (int layer = 0; layer < 2; layer++)
        {
            _stored.Tensors.Add($"h.{layer}.attn.bias", Tensor.Full([1, 1, 12, 12], 1, ScalarType.Bool));
            _stored.Tensors.Add($"h.{layer}.attn.masked_bias", Tensor.Full([], -1e4));
        }

        IsTheModel(_stored.Write(_folder));
    }

    [Fact]
    public void AHeadThatIsTheEmbeddingMayBeStoredBesidesOrInstead()
    {
        _stored.Tensors.Add("lm_head.weight", _parameters[Embedding]);
        IsTheModel(_stored.Write(_folder, "besides"));
        _stored.Tensors.Remove(Embedding);
        IsTheModel(_stored.Write(_folder, "instead"));
    }

    [Fact]
    public void AnotherHeadIsReadIfTheConfigurationSaysSoAndRefusedIfNot()
    {
        Gpt2Config untied = _model with { TiedHead = false };
        using ParameterSet parameters = Sample.Parameters(untied);
        HuggingFaceFolder stored = HuggingFaceFolder.Of(untied, parameters);
        string folder = stored.Write(_folder);
        Assert.Equal(untied, ModelFolder.ReadConfig(folder));
        Same(parameters, ModelFolder.ReadParameters(folder, untied, Device.Cpu));

        stored.Config["tie_word_embeddings"] = true;
        Refuses(stored.Write(_folder), "different: lm_head.weight and transformer.wte.weight");
    }

    /// <summary>What the published BERT files hold: Google's names, the pooler, the next-sentence head.</summary>
    [Fact]
    public void BertAsItWasPublished()
    {
        BertConfig model = Sample.Bert(2);
        using ParameterSet parameters = Sample.Parameters(model);
        HuggingFaceFolder stored = HuggingFaceFolder.Of(model, parameters).Rename(name => name
            .Replace("LayerNorm.weight", "LayerNorm.gamma", StringComparison.Ordinal)
            .Replace("LayerNorm.bias", "LayerNorm.beta", StringComparison.Ordinal));
        using Tensor pooler = Sample.Normal(9, 16, 16), bias = Sample.Normal(8, 16);
        stored.Tensors.Add("cls.predictions.decoder.weight", stored.Tensors["bert.embeddings.word_embeddings.weight"]);
        stored.Tensors.Add("cls.seq_relationship.weight", Tensor.Zeros([2, 16]));
        stored.Tensors.Add("cls.seq_relationship.bias", Tensor.Zeros([2]));
        stored.Tensors.Add("bert.embeddings.position_ids", Tensor.Full([1, 12], 1, ScalarType.Bool));
        stored.Tensors.Add("bert.pooler.dense.weight", pooler);
        stored.Tensors.Add("bert.pooler.dense.bias", bias);
        string folder = stored.Write(_folder);
        Assert.Equal(model, ModelFolder.ReadConfig(folder));
        using (ParameterSet read = ModelFolder.ReadParameters(folder, model, Device.Cpu))
        {
            Same(parameters, read);
        }

        IReadOnlyDictionary<string, Tensor> extras = ModelFolder.ReadExtras(folder, model, Device.Cpu);
        Assert.Equal(["bert.pooler.dense.bias", "bert.pooler.dense.weight"], extras.Keys.Order());
        Near.Identical(pooler, extras["bert.pooler.dense.weight"]);
        Assert.Equal(
            ["cls.seq_relationship.bias", "cls.seq_relationship.weight"], ModelFolder.UnusedTensors(folder, model).Order());
        Assert.Empty(ModelFolder.ReadExtras(HuggingFaceFolder.Of(model, parameters).Write(_folder, "without"), model, Device.Cpu));
        stored.Tensors["bert.pooler.dense.bias"] = Tensor.Zeros([3]);
        Refuses(stored.Write(_folder), "wrong shape: bert.pooler.dense.bias is [3], config.json asks for [16]");
    }

    [Fact]
    public void BertWithTheHeadsBiasUnderItsSecondNameOrBoth()
    {
        BertConfig model = Sample.Bert(1);
        using ParameterSet parameters = Sample.Parameters(model);
        HuggingFaceFolder stored = HuggingFaceFolder.Of(model, parameters);
        stored.Tensors.Add("cls.predictions.decoder.bias", stored.Tensors["cls.predictions.bias"]);
        Same(parameters, ModelFolder.ReadParameters(stored.Write(_folder), model, Device.Cpu));
        stored.Tensors.Remove("cls.predictions.bias");
        Same(parameters, ModelFolder.ReadParameters(stored.Write(_folder), model, Device.Cpu));
    }

    [Fact]
    public void AnUntiedBert()
    {
        BertConfig model = Sample.Bert(1) with { TiedHead = false };
        using ParameterSet parameters = Sample.Parameters(model);
        string folder = HuggingFaceFolder.Of(model, parameters).Write(_folder);
        Assert.Equal(model, ModelFolder.ReadConfig(folder));
        Same(parameters, ModelFolder.ReadParameters(folder, model, Device.Cpu));
    }

    /// <summary>
    /// An untied head's bias is one tensor of two names before transformers 5 and two tensors since, of which the decoder's is
    /// the one in use.
    /// </summary>
    [Fact]
    public void AnUntiedBertHasItsHeadsBiasUnderBothNames()
    {
        const string Bias = "cls.predictions.bias", DecodersBias = "cls.predictions.decoder.bias";
        BertConfig model = Sample.Bert(1) with { TiedHead = false };
        using ParameterSet parameters = Sample.Parameters(model);
        string folder = Directory.CreateDirectory(_folder.File("untied")).FullName;
        ModelFolder.Write(folder, model, parameters, ByteLevelBpe.RawBytes);
        using (SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, "model.safetensors")))
        {
            Assert.Equal(file.Bytes(Bias), file.Bytes(DecodersBias));
        }

        Same(parameters, ModelFolder.ReadParameters(folder, model, Device.Cpu));
        Assert.Empty(ModelFolder.UnusedTensors(folder, model));

        HuggingFaceFolder stored = HuggingFaceFolder.Of(model, parameters);
        using Tensor older = Sample.Normal(3, model.Vocabulary);
        stored.Tensors.Add(DecodersBias, stored.Tensors[Bias]);
        stored.Tensors[Bias] = older;
        folder = stored.Write(_folder);
        Same(parameters, ModelFolder.ReadParameters(folder, model, Device.Cpu));
        Assert.Equal([Bias], ModelFolder.UnusedTensors(folder, model));

        stored.Config["tie_word_embeddings"] = true;
        stored.Tensors["cls.predictions.decoder.weight"] = stored.Tensors["bert.embeddings.word_embeddings.weight"];
        _ = Assert.Throws<UserErrorException>(() => ModelFolder.ReadParameters(stored.Write(_folder), model with { TiedHead = true }, Device.Cpu));

        BertConfig tied = model with { TiedHead = true };
        using ParameterSet ofTied = Sample.Parameters(tied);
        folder = Directory.CreateDirectory(_folder.File("tied")).FullName;
        ModelFolder.Write(folder, tied, ofTied, ByteLevelBpe.RawBytes);
        using SafetensorsFile single = SafetensorsFile.Open(Path.Combine(folder, "model.safetensors"));
        Assert.DoesNotContain(DecodersBias, single.Names);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(30)]
    public void Shards(int count) => IsTheModel(_stored.WriteSharded(_folder, count));

    [Theory]
    [InlineData(SafetensorsDType.F64, ScalarType.Float64)]
    [InlineData(SafetensorsDType.BF16, ScalarType.BFloat16)]
    [InlineData(SafetensorsDType.F16, ScalarType.Float16)]
    public void TensorsOfAnyFloatingPointType(SafetensorsDType stored, ScalarType rounded)
    {
        _stored.Type = stored;
        using ParameterSet read = ModelFolder.ReadParameters(_stored.Write(_folder), _model, Device.Cpu);
        Assert.Equal(_parameters.Count, read.Count);
        foreach ((Parameter expected, Parameter actual) in _parameters.Zip(read))
        {
            Near.Identical(expected.Value.To(rounded, Device.Cpu).To(ScalarType.Float32, Device.Cpu), actual.Value, expected.Name);
        }
    }

    [Fact]
    public void AllThatIsWrongIsNamedAtOnce()
    {
        _stored.Rename(name => name == "transformer.ln_f.bias" ? null : name);
        _stored.Tensors["transformer.wpe.weight"] = Tensor.Zeros([12, 15]);
        _stored.Tensors["transformer.h.1.mlp.c_fc.bias"] = Tensor.Full([64], 1, ScalarType.Bool);
        _stored.Tensors.Add("score.weight", Tensor.Zeros([2, 16]));
        _stored.Tensors.Add("h.0.ln_1.bias", Tensor.Zeros([16]));
        Refuses(
            _stored.Write(_folder),
            "superfluous: score.weight F32 [2, 16]",
            "twice: transformer.h.0.ln_1.bias and h.0.ln_1.bias",
            "missing: transformer.ln_f.bias [16]",
            "wrong shape: transformer.wpe.weight is [12, 15], config.json asks for [12, 16]",
            "no floating-point numbers: transformer.h.1.mlp.c_fc.bias BOOL [64]");
    }

    [Fact]
    public void EachProblemHasItsOwnRemedy()
    {
        _stored.Tensors["transformer.h.1.mlp.c_fc.bias"] = Tensor.Full([64], 1, ScalarType.Bool);
        Assert.Equal(
            "F16, BF16, F32 and F64 are read, quantized models are not: take the weights from before they were quantized.",
            Refusal(_stored.Write(_folder, "quantized")).Hint);
        _stored.Tensors.Remove("transformer.h.1.mlp.c_fc.bias");
        Assert.StartsWith("The weights are not complete", Refusal(_stored.Write(_folder, "missing")).Hint, StringComparison.Ordinal);
        _stored.Tensors["transformer.h.1.mlp.c_fc.bias"] = Tensor.Zeros([64]);
        _stored.Tensors.Add("transformer.adapter.weight", Tensor.Zeros([2, 16]));
        Assert.StartsWith("config.json is of a smaller", Refusal(_stored.Write(_folder, "superfluous")).Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void MistakesInJsonAreToldByLineAndColumn()
    {
        string folder = _stored.Write(_folder), config = Path.Combine(folder, "config.json");
        File.WriteAllText(config, "{\n  \"n_layer\": 2,\n}");
        UserErrorException error = Assert.Throws<UserErrorException>(() => ModelFolder.ReadConfig(folder));
        Assert.Equal(
            $"{config}:3:1 is not valid JSON: The JSON object contains a trailing comma at the end which is not supported in this mode.",
            error.Message);
    }

    [Fact]
    public void AModelOfAnotherDepthIsAFewLinesNotHundreds()
    {
        _stored.Config["n_layer"] = 20;
        Refuses(_stored.Write(_folder), "missing: transformer.h.2.ln_1.weight [16]", "and 208 more");
        _stored.Config["n_layer"] = 1;
        Refuses(_stored.Write(_folder), "superfluous: transformer.h.1.attn.c_attn.bias F32 [48]", "and 4 more");
    }

    [Fact]
    public void TheIndexMustDescribeTheShards()
    {
        string folder = _stored.WriteSharded(_folder, 3);
        string index = Path.Combine(folder, "model.safetensors.index.json"), sound = File.ReadAllText(index);
        string first = Path.Combine(folder, "model-00001-of-00003.safetensors");

        Change("\"transformer.wpe.weight\":\"model-00002-of", "\"transformer.wpe.weight\":\"model-00003-of");
        Refuses(folder, "model-00002-of-00003.safetensors holds the tensor 'transformer.wpe.weight'", "places in model-00003-of");
        Change("{\"transformer.wte.weight\"", "{\"lost\":\"model-00001-of-00003.safetensors\",\"transformer.wte.weight\"");
        Refuses(folder, "places the tensor 'lost' in model-00001-of-00003.safetensors, which does not hold it");
        Change("\"transformer.wpe.weight\":\"model-00002-of-00003.safetensors\",", "");
        Refuses(folder, "'transformer.wpe.weight', which model.safetensors.index.json does not list");
        foreach (string place in new[] { "\"../model-00001-of-00003.safetensors\"", "\"/etc/x.safetensors\"", "\"a\\\\b.safetensors\"", "\"x.bin\"", "7", "null", "\"\"" })
        {
            Change("\"transformer.wpe.weight\":\"model-00002-of-00003.safetensors\"", $"\"transformer.wpe.weight\":{place}");
            Refuses(folder, "'transformer.wpe.weight' of weight_map must name a .safetensors file in the same folder");
        }

        File.WriteAllText(index, """{"weight_map":{}}""");
        Refuses(folder, "has no 'weight_map'");
        File.WriteAllText(index, """{"weight_map":{"a":"b.safetensors","a":"c.safetensors"}}""");
        Refuses(folder, "is not valid JSON");
        File.WriteAllText(index, sound);
        IsTheModel(folder);
        File.Delete(first);
        Refuses(folder, "index.json: 1 of its 3 files is missing: model-00001-of-00003.safetensors.");

        void Change(string what, string to)
        {
            Assert.Contains(what, sound, StringComparison.Ordinal);
            File.WriteAllText(index, sound.Replace(what, to, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void TheFileInOnePieceCountsWhereThereAreBoth()
    {
        string folder = _stored.Write(_folder);
        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), "{}");
        IsTheModel(folder);
    }

    [Theory]
    [InlineData("pytorch_model.bin")]
    [InlineData("model.pt")]
    [InlineData("model.PTH")]
    [InlineData("model.ckpt")]
    public void PickleIsRefusedWithTheWayOut(string name)
    {
        string folder = _stored.Write(_folder);
        string weights = Path.Combine(folder, "model.safetensors"), pickle = Path.Combine(folder, name);
        File.Move(weights, pickle);
        Refuses(folder, name, "is a pickle file");
        Refuses(pickle, name, "is a pickle file");
        Assert.Contains("save_pretrained", Refusal(folder).Hint, StringComparison.Ordinal);
        File.Delete(pickle);
        Refuses(folder, "holds neither model.safetensors nor model.safetensors.index.json");
        Refuses(Path.Combine(folder, "config.json"), "config.json is neither a folder nor a .safetensors file");
    }

    [Fact]
    public void AFileOfWeightsStandsForItsFolder()
    {
        string folder = _stored.Write(_folder), file = Path.Combine(folder, "other.safetensors");
        File.Move(Path.Combine(folder, "model.safetensors"), file);
        IsTheModel(file);
    }

    [Fact]
    public void LargeTensorsGoInAndOutInPieces()
    {
        string path = _folder.File("pieces.safetensors");
        using Tensor value = Sample.Normal(3, 7, 11);
        foreach (int piece in new[] { 1, 10, 76, 77, 78 })
        {
            SafetensorsWriter.Write(path, [TensorFile.Entry("a", value, SafetensorsDType.F64, piece), TensorFile.Entry("b", value)]);
            using SafetensorsFile file = SafetensorsFile.Open(path);
            Near.Identical(value, TensorFile.Read(file, "a", [7, 11], Device.Cpu, piece), $"F64 by {piece}");
            Near.Identical(value, TensorFile.Read(file, "b", [7, 11], Device.Cpu, piece), $"F32 by {piece}");
        }
    }

    /// <summary>Sparse: the file takes a few blocks of the disk, however long it is.</summary>
    [Fact]
    public void TensorsMayBeLargerThanAnySpan()
    {
        const long Count = (1L << 31) + 5;
        string path = _folder.File("large.safetensors");
        string header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[" + Count + "],\"data_offsets\":[0," + Count + "]}," +
            "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[" + Count + "," + (Count + 4) + "]}}";
        using (var stream = new FileStream(path, FileMode.CreateNew))
        {
            stream.Write(BitConverter.GetBytes((long)header.Length));
            stream.Write(System.Text.Encoding.ASCII.GetBytes(header));
            stream.Position += Count - 1;
            stream.WriteByte(7);
            stream.Write(BitConverter.GetBytes(1.5f));
        }

        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal([0, 7], file.Bytes("a", Count - 2, 2).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Bytes("a", Count - 2, 3).Length);
        Assert.Throws<OverflowException>(() => file.Bytes("a").Length);
        using Tensor b = TensorFile.Read(file, "b", [1], Device.Cpu);
        Assert.Equal(1.5, b.Item());
    }

    [Fact]
    public void NumbersBeyondATypeAreNamed()
    {
        using Tensor value = Tensor.Full([3], 1e5);
        var error = Assert.Throws<UserErrorException>(() =>
            SafetensorsWriter.Write(_folder.File("x"), [TensorFile.Entry("a", value, SafetensorsDType.F16)]));
        Assert.Contains("'a' has numbers that f16 cannot hold", error.Message, StringComparison.Ordinal);
    }

    private void IsTheModel(string path)
    {
        ModelConfig model = ModelFolder.ReadConfig(path);
        Assert.Equal(_model, model);
        using ParameterSet read = ModelFolder.ReadParameters(path, model, Device.Cpu);
        Same(_parameters, read);
    }

    private static void Same(ParameterSet expected, ParameterSet actual)
    {
        Assert.Equal(expected.Select(parameter => parameter.Spec.Name), actual.Select(parameter => parameter.Spec.Name));
        foreach ((Parameter one, Parameter other) in expected.Zip(actual))
        {
            Near.Identical(one.Value, other.Value, one.Name);
            Assert.True(other.Value.RequiresGrad);
        }
    }

    private static UserErrorException Refusal(string path) => Assert.Throws<UserErrorException>(() =>
        ModelFolder.ReadParameters(path, ModelFolder.ReadConfig(path), Device.Cpu));

    private static void Refuses(string path, params string[] says)
    {
        UserErrorException error = Refusal(path);
        Assert.All(says, text => Assert.Contains(text, error.Message, StringComparison.Ordinal));
    }
}
