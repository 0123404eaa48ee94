"""The table of timm's models, one small row a model; tests read it, so nothing but Python is needed here.

A model is a registered name, or file:Class where what is registered cannot be made small.
"""
from rows import Input, Row

VIT = dict(img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2)
BOTH = "dynamo script"
FOUR = (16, 16, 32, 32)


def row(name, model, config, variants=BOTH, size=None, **more):
    """A row of five classes; the image's size is the configuration's where that has one."""
    size = size or config["img_size"]
    height, width = size if isinstance(size, tuple) else (size, size)
    return Row(name, model, dict(num_classes=5, **config), variants, inputs=(Input("pixel_values", (1, 3, height, width)),), **more)


def vit(name, model, variants=BOTH, attention="", **more):
    """A row of a plain ViT's sizes."""
    return row(name, model, {**VIT, **more}, variants, attention=attention)


# those that are committed
TIMM = [
    vit("vit", "vit_tiny_patch16_224", variants="dynamo_batch dynamo_o23 script_o14"),
    vit("vit_parallel_branches", "vit_small_patch16_18x2_224", variants="dynamo"),
    vit("vit_dpwee", "vit_dpwee_patch16_reg1_gap_256", variants="dynamo"),
    vit("vit_srelpos", "vit_srelpos_small_patch16_224", variants="dynamo"),
    vit("vit_aimv2", "aimv2_large_patch14_224", variants="dynamo"),
    vit("vit_hybrid", "vit_tiny_r_s16_p8_224", patch_size=1, img_size=64, variants="script"),
    vit("eva02", "eva02_base_patch14_224", attention="eager", variants="dynamo"),
    vit("eva_rope_mixed", "vit_base_patch16_rope_mixed_224", variants="dynamo"),
    vit("eva_pe_core", "vit_pe_core_tiny_patch16_384", attention="eager", variants="script"),
    vit("cait", "cait_xxs24_224", variants="dynamo"),
    vit("xcit", "xcit_nano_12_p16_224", variants="dynamo"),
    vit("convit", "convit_tiny", local_up_to_layer=1, embed_dim=16, variants="dynamo dynamo_batch"),
    row("naflexvit", "naflexvit_base_patch16_gap", dict(embed_dim=32, depth=2, num_heads=2, img_size=32, patch_size=8, pos_embed_grid_size=(4, 4)),
        variants="dynamo dynamo_batch"),
    row("tnt", "tnt_s_patch16_224", dict(img_size=32, patch_size=16, embed_dim=32, inner_dim=8, depth=2, num_heads_inner=2, num_heads_outer=2),
        variants="dynamo"),
    row("samvit", "samvit_base_patch16", dict(VIT, img_size=64, window_size=3, global_attn_indexes=(1,), neck_chans=16), attention="eager",
        variants="script"),
    row("crossvit", "crossvit_tiny_240", dict(img_size=48, img_scale=(1.0, 2 / 3), patch_size=[12, 16], embed_dim=[16, 32], depth=[[1, 1, 0]],
        num_heads=[2, 2], mlp_ratio=[2, 2, 1]), variants="dynamo"),
    row("davit", "davit_tiny", dict(depths=(1, 1), embed_dims=(16, 32), num_heads=(2, 4), window_size=4), size=64, variants="dynamo"),
    row("efficientvit_mit", "efficientvit_b0", dict(widths=(8, 8, 16, 16, 16), depths=(1, 1, 1, 1, 1), head_dim=8, head_widths=(32, 32)), size=64,
        variants="script"),
    row("fastvit", "fastvit_sa12", dict(layers=(1, 1, 1, 1), embed_dims=(16, 16, 32, 32), mlp_ratios=(2, 2, 2, 2)), size=64, variants="dynamo"),
    row("shvit", "shvit_s1", dict(embed_dim=(16, 32, 32), depth=(1, 1, 1), partial_dim=(8, 8, 8)), size=64, variants="script"),
    row("coatnet", "coatnet_0_rw_224", dict(img_size=64, stem_width=(8, 8), embed_dim=(16, 32, 32, 32), depths=(1, 1, 1, 1)),
        variants="dynamo"),
    row("mvitv2", "mvitv2:MultiScaleVit", dict(img_size=64, cfg=dict(depths=(1, 1), embed_dim=16, num_heads=2)), variants="script dynamo_batch"),
    row("mvitv2_cls", "mvitv2:MultiScaleVit", dict(img_size=32, cfg=dict(depths=(1, 1), embed_dim=8, num_heads=2, use_cls_token=True))),
    row("volo", "volo:VOLO", dict(img_size=64, layers=(1, 1, 1, 1), embed_dims=(16, 32, 32, 32), num_heads=(2, 4, 4, 4), stem_hidden_dim=8,
        mlp_ratio=2.0, downsamples=(True, False, False, False), outlook_attention=(True, False, False, False), post_layers=("ca", "ca")), "dynamo"),
    row("coat_lite", "coat_lite_tiny", dict(img_size=64, embed_dims=[16, 16, 32, 32], serial_depths=[1] * 4, num_heads=8, mlp_ratios=[2] * 4),
        variants="dynamo"),
]

# further ones, exported with --more
MORE = [
    vit("vit_siglip", "vit_base_patch16_siglip_224"),
    vit("vit_clip", "vit_base_patch16_clip_quickgelu_224"),
    vit("vit_dinov2_giant", "vit_giant_patch14_reg4_dinov2"),
    vit("vit_relpos_rpn", "vit_relpos_small_patch16_rpn_224"),
    vit("beit3", "beit3_base_patch16_224"),
    vit("dinov3_plus", "vit_small_plus_patch16_dinov3", attention="eager"),
    vit("deit", "deit_tiny_distilled_patch16_224"),
    row("nest", "nest:Nest", dict(img_size=64, num_levels=2, embed_dims=(16, 32), num_heads=(2, 4), depths=(1, 1)), variants="script"),
    row("tiny_vit", "tiny_vit_5m_224", dict(embed_dims=[16, 16, 32, 32], depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 4], window_sizes=[4, 4, 4, 2]),
        size=64),
    vit("vit_siglip_gap", "vit_base_patch16_siglip_gap_224"),
    vit("vit_reg", "vit_base_patch16_reg4_gap_256"),
    vit("vit_rpn", "vit_base_patch16_rpn_224"),
    vit("vit_dinov2", "vit_small_patch14_dinov2"),
    vit("vit_parallel_scaling", "vit_base_patch16_xp_224", variants="dynamo"),
    vit("vit_so150m2", "vit_so150m2_patch16_reg1_gap_256"),
    vit("vit_wee", "vit_wee_patch16_reg1_gap_256"),
    vit("vit_dwee", "vit_dwee_patch16_reg1_gap_256", variants="dynamo"),
    vit("vit_relpos", "vit_relpos_small_patch16_224"),
    vit("beit", "beit_base_patch16_224"),
    vit("eva", "eva_giant_patch14_224", mlp_ratio=2.0, attention="eager"),
    vit("eva02_tiny", "eva02_tiny_patch14_224", attention="eager"),
    vit("eva_rope", "vit_base_patch16_rope_224", attention="eager"),
    vit("eva_rope_reg", "vit_base_patch16_rope_reg1_gap_256", attention="eager"),
    vit("eva_pe_spatial", "vit_pe_spatial_tiny_patch16_512", attention="eager"),
    vit("dinov3", "vit_small_patch16_dinov3", attention="eager"),
    vit("deit3", "deit3_small_patch16_224"),
    row("pit", "pit_ti_distilled_224", dict(img_size=64, base_dims=[16, 16, 16], depth=[1, 1, 1], heads=[1, 2, 2])),
    row("swin", "swin_tiny_patch4_window7_224", dict(img_size=64, window_size=4, embed_dim=16, depths=(2, 2), num_heads=(2, 4))),
    row("swinv2", "swinv2_tiny_window8_256", dict(img_size=64, window_size=4, embed_dim=16, depths=(2, 2), num_heads=(2, 4))),
    row("swinv2_cr", "swinv2_cr_tiny_224", dict(img_size=64, window_size=(4, 4), embed_dim=16, depths=(2, 2), num_heads=(2, 4))),
    row("twins_svt", "twins_svt_small", dict(img_size=64, embed_dims=[16, 16, 16, 32], num_heads=[1, 2, 2, 4], mlp_ratios=[2] * 4, depths=[2, 1, 1,
        1], wss=[4, 4, 4, 2]), attention="eager"),
    row("twins_pcpvt", "twins_pcpvt_small", dict(img_size=64, embed_dims=[16, 16, 16, 32], num_heads=[1, 2, 2, 4], mlp_ratios=[2] * 4,
        depths=[1] * 4)),
    row("pvt_v2", "pvt_v2_b0", dict(depths=(1, 1, 1, 1), embed_dims=FOUR, num_heads=(1, 2, 2, 4), mlp_ratios=(2, 2, 2, 2)), size=64),
    row("pvt_v2_linear", "pvt_v2_b2_li", dict(depths=(1, 1, 1, 1), embed_dims=FOUR, num_heads=(1, 2, 2, 4), mlp_ratios=(2, 2, 2, 2)), size=64,
        variants="dynamo"),
    row("coat", "coat_tiny", dict(img_size=64, embed_dims=[32] * 4, serial_depths=[1] * 4, parallel_depth=1, num_heads=8, mlp_ratios=[2] * 4)),
    row("edgenext", "edgenext_xx_small", dict(depths=(1, 1, 2, 2), dims=(16, 16, 24, 32), heads=(2, 2, 2, 2)), size=64),
    row("efficientformer", "efficientformer_l1", dict(depths=(1, 1, 1, 2), embed_dims=(16, 16, 24, 32)), size=224),
    row("efficientformerv2", "efficientformerv2_s0", dict(img_size=64, depths=(1, 1, 2, 2), embed_dims=(16, 16, 24, 32), num_vit=1,
                                                          mlp_ratios=((2,), (2,), (2, 2), (2, 2)))),
    row("efficientvit_msra", "efficientvit_m0", dict(img_size=128, embed_dim=[16, 32, 48], key_dim=[8, 8, 8], depth=[1, 1, 1], num_heads=[2, 2, 2],
        window_size=[4, 4, 4])),
    row("gcvit", "gcvit:GlobalContextVit", dict(img_size=64, window_size=(4, 4, 4, 2), embed_dim=8, depths=(1, 1, 2, 2), num_heads=(2, 2, 2, 4))),
    row("hiera", "hiera_tiny_224", dict(img_size=(64, 64), embed_dim=16, num_heads=1, stages=(1, 1, 2, 1)), attention="eager"),
    row("iformer", "iformer_t", dict(dims=(16, 16, 32, 32), depths=(1, 1, 6, 3), attn_groups=(0, 0, 1, 1)), size=64),
    row("levit", "levit_128s", dict(img_size=64, embed_dim=(16, 24, 32), key_dim=8, depth=(1, 1, 1), num_heads=(2, 2, 2))),
    row("levit_conv", "levit_conv_128s", dict(img_size=64, embed_dim=(16, 24, 32), key_dim=8, depth=(1, 1, 1), num_heads=(2, 2, 2))),
    row("maxvit", "maxvit_tiny_rw_224", dict(img_size=64, stem_width=(8, 8), embed_dim=(32, 32), depths=(1, 1), block_type=("M", "M"))),
    row("caformer", "metaformer:MetaFormer", dict(depths=(1, 1, 1, 1), dims=FOUR), size=64),
    row("mixer", "mlp_mixer:MlpMixer", dict(img_size=32, patch_size=8, num_blocks=2, embed_dim=32)),
    row("repvit", "repvit_m0_9", dict(embed_dim=(16, 16, 32, 32), depth=(1, 1, 1, 1)), size=64),
    row("swiftformer", "swiftformer_xs", dict(layers=[1] * 4, embed_dims=[16, 16, 24, 32]), size=64),
    row("visformer", "visformer_tiny", dict(img_size=64, init_channels=8, embed_dim=32, depth=(1, 1, 1), num_heads=2)),
    row("sam2_hiera", "sam2_hiera_tiny", dict(embed_dim=16, num_heads=1, stages=(1, 1, 2, 1), global_att_blocks=(3,), window_spec=(4, 2, 2, 2),
        global_pos_size=(4, 4)), size=64, attention="eager"),
    row("deepseek_vit", "deepseek_vit:DeepseekVitClassifier", dict(img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2), variants="dynamo"),
    row("qwen3_vit", "qwen3_vit_88m", dict(img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2)),
    row("lowformer", "lowformer_b0", dict(width_list=[8, 8, 16, 16, 32], depth_list=[0, 1, 1, 1, 1], head_widths=(32, 32)), size=64),
    row("csatv2", "csatv2", dict(dims=(16, 16, 32, 32), depths=(1, 1, 1, 1), transformer_depths=(0, 0, 1, 1)), size=128, variants="dynamo"),
    row("efficientvim", "efficientvim_m1", dict(embed_dim=(16, 24, 32), depths=(1, 1, 1)), size=64),
    row("convnext", "convnext_atto", dict(depths=(1, 1, 1, 1), dims=FOUR), size=64),
    row("convnextv2", "convnextv2_atto", dict(depths=(1, 1, 1, 1), dims=FOUR), size=64),
    row("inception_next", "inception_next_atto", dict(depths=(1, 1, 1, 1), dims=(16, 32, 32, 32)), size=64),
    row("mambaout", "mambaout_femto", dict(depths=(1, 1, 1, 1), dims=FOUR), size=64),
    row("coatnet_relpos", "coatnet_rmlp_nano_rw_224", dict(img_size=64, stem_width=(8, 8), embed_dim=(16, 32, 32, 32), depths=(1, 1, 1, 1))),
    row("nextvit", "nextvit_small", dict(stem_chs=(16, 8, 16), depths=(1, 1, 5, 1)), size=64),
    row("focalnet", "focalnet:FocalNet", dict(embed_dim=16, depths=(1, 1), focal_levels=(2, 2), focal_windows=(3, 3)), size=64),
    row("mobilevit", "mobilevit_xxs", dict(), size=64),
    row("resnetv2", "resnetv2:ResNetV2", dict(layers=(1, 1), channels=(128, 128), stem_chs=32, stem_type="fixed"), size=64),
]
