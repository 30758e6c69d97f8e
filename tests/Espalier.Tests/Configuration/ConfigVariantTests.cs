using Espalier.Configuration;

namespace Espalier.Tests.Configuration;

/// <summary>Sections that are one of several records.</summary>
public class ConfigVariantTests
{
    internal enum SoilKind
    {
        Loam,
        RiverSand,
    }

    internal sealed record GardenConfig
    {
        public required TreeConfig Tree { get; init; }

        public SoilConfig Soil { get; init; } = new LoamConfig();
    }

    // Strings, and no default.
    [ConfigVariant("name", "apple", typeof(AppleConfig))]
    [ConfigVariant("name", "pear", typeof(PearConfig))]
    [ConfigVariant("name", "wild-pear", typeof(WildPearConfig))]
    internal abstract record TreeConfig
    {
        public abstract string Name { get; }

        public int Height { get; init; } = 2;
    }

    internal sealed record AppleConfig : TreeConfig
    {
        public override string Name => "apple";

        public required int Branches { get; init; }

        public double Tilt { get; init; }
    }

    internal sealed record PearConfig : TreeConfig
    {
        public override string Name => "pear";

        public string Wall { get; init; } = "south";
    }

    internal sealed record WildPearConfig : TreeConfig
    {
        public override string Name => "wild-pear";

        public string Wall { get; init; } = "none";

        [YamlKey("slope")]
        public double Tilt { get; init; }
    }

    // An enum, and a default.
    [ConfigVariant("kind", SoilKind.Loam, typeof(LoamConfig), IsDefault = true)]
    [ConfigVariant("kind", SoilKind.RiverSand, typeof(SandConfig))]
    internal abstract record SoilConfig(SoilKind Kind);

    internal sealed record LoamConfig() : SoilConfig(SoilKind.Loam);

    internal sealed record SandConfig() : SoilConfig(SoilKind.RiverSand)
    {
        public int Grain { get; init; } = 1;
    }

    [Fact]
    public void TheNameTellsTheRecord()
    {
        Assert.Equal(
            new GardenConfig { Tree = new AppleConfig { Branches = 4, Tilt = 0.5 } },
            Parse("tree: {branches: 4, tilt: 0.5, name: apple}"));
        Assert.Equal(
            new GardenConfig { Tree = new PearConfig { Height = 3 }, Soil = new SandConfig { Grain = 2 } },
            Parse("tree: {name: pear, height: 3}\nsoil: {kind: river-sand, grain: 2}"));
        Assert.Equal(
            [("tree.name", "wild-pear"), ("tree.height", 2), ("tree.wall", "none"), ("tree.slope", 0.0), ("soil.kind", SoilKind.Loam)],
            ConfigKeys.Flatten(new GardenConfig { Tree = new WildPearConfig() }));
    }

    [Fact]
    public void ADefaultNeedsNoName() => Assert.IsType<LoamConfig>(Parse("tree: {name: pear}\nsoil: {}").Soil);

    [Fact]
    public void TheCommandLineMayNameAnother() =>
        Assert.IsType<PearConfig>(Parse("tree:\n  name: apple\n  height: 3\n", "tree.name=pear").Tree);

    [Theory]
    [InlineData("", "g:1: tree: is missing — add the section with `name`")]
    [InlineData("tree: {}", "g:1: tree.name: is missing — add it; it has no default")]
    [InlineData("tree:\n", "g:1: tree.name: is missing — add it; it has no default")]
    [InlineData("tree: {wall: east, branches: 4}", "g:1: tree.name: is missing — add it; it has no default")]
    [InlineData("tree: {nmae: apple, branches: 4}", "g:1: tree.nmae: is not a key of a garden — did you mean `tree.name`?")]
    [InlineData("tree: {name: appel, slope: 4}", "g:1: tree.name: `appel` is not one of apple, pear, wild-pear — did you mean `apple`?")]
    [InlineData("tree: {name: }", "g:1: tree.name: has no value — write one of apple, pear, wild-pear")]
    [InlineData("tree: {name: [apple]}", "g:1: tree.name: is a list — write one of apple, pear, wild-pear")]
    [InlineData("tree: {name: pear}\nsoil: {kind: sand, grain: 2}", "g:2: soil.kind: `sand` is not one of loam, river-sand")]
    [InlineData("tree: {name: pear}\nsoil: {grain: 2}", "g:2: soil.grain: is a key of river-sand, and this soil is loam — leave it out, or set `soil.kind` to river-sand")]
    [InlineData("tree: {name: wild-pear, tilt: 1}", "g:1: tree.tilt: is a key of apple, and this tree is wild-pear — its key is `tree.slope`")]
    [InlineData("tree: {name: apple, branches: 4, wall: east}", "g:1: tree.wall: is a key of pear and wild-pear, and this tree is apple — leave it out, or set `tree.name` to pear or wild-pear")]
    [InlineData("tree: {name: apple}", "g:1: tree.branches: is missing")]
    public void OneErrorIsOneLine(string yaml, string says) =>
        Assert.StartsWith(says, Assert.Single(Problems(yaml.Length > 0 ? yaml : "soil: {}")).Replace("g: ", "g:1: ", StringComparison.Ordinal), StringComparison.Ordinal);

    [Fact]
    public void KeysThatTheFileHasForAnotherVariantKeepTheirPlace() => Assert.Equal(
        [
            "g:3: tree.branches: is a key of apple, and this tree is pear — leave it out, or replace the whole section by `tree={name: pear}`",
            "command line: tree.slope: is a key of wild-pear, and this tree is pear — leave it out, or set `tree.name` to wild-pear",
        ],
        Problems("tree:\n  name: apple\n  branches: 4\n", "tree.name=pear", "tree.slope=1"));

    [Fact]
    public void KeysThatNoVariantHasAreReportedBesideAMissingName() => Assert.Equal(
        [
            "g:1: tree.name: is missing — add it; it has no default",
            "g:3: tree.barnches: is not a key of a garden — did you mean `tree.branches`?",
        ],
        Problems("tree:\n  height: 4\n  barnches: 2"));

    [Fact]
    public void ChecksBetweenKeysLeaveAStandInAlone()
    {
        bool? isClean = null;
        Assert.Throws<UserErrorException>(() => ConfigFile.Parse<GardenConfig>(
            "tree: {name: oak, height: 3}", "g", "garden", "x", [], (_, _, problems) => isClean = problems.AreClean("tree.height")));
        Assert.False(isClean);
    }

    private static GardenConfig Parse(string yaml, params string[] overrides) =>
        ConfigFile.Parse<GardenConfig>(yaml, "g", "garden", "garden.yaml", overrides, (_, _, _) => { });

    private static string[] Problems(string yaml, params string[] overrides) =>
        Assert.Throws<UserErrorException>(() => Parse(yaml, overrides)).Message.Split('\n');
}
